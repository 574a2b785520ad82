/** Reads and writes the mails of the sandbox: summaries for the pages, composed mails, answers that thread. */
import { randomUUID } from 'node:crypto'
import { type AddressObject, type ParsedMail, simpleParser } from 'mailparser'
import MailComposer from 'nodemailer/lib/mail-composer'

/** An address with the name in front of it. */
interface MailAddress {
  address: string
  name?: string
}

/** What a mail says in its headers and its text. Message-IDs are with angle brackets, as on the wire. */
export interface MailSummary {
  messageId: string | null
  from: MailAddress[]
  to: MailAddress[]
  subject: string
  inReplyTo: string | null
  references: string[]
  text: string
  /** ISO 8601, null where the mail has no Date. */
  date: string | null
}

/** A mail to be made. Bytes come out with a Date and a Message-ID in any case. */
export interface MailDraft {
  from: MailAddress
  to: MailAddress
  subject: string
  text: string
  html?: string | undefined
  inReplyTo?: string | undefined
  references?: string[] | undefined
  messageId?: string | undefined
  date: Date
}

/** Parses the raw bytes. Never fails for odd mail: what cannot be read is empty. */
export async function readMail(raw: Buffer): Promise<MailSummary> {
  const mail: Partial<ParsedMail> = await simpleParser(raw, { skipImageLinks: true }).catch(() => ({}))
  const references = typeof mail.references === 'string' ? [mail.references] : (mail.references ?? [])
  return {
    messageId: mail.messageId ?? null,
    from: addresses(mail.from),
    to: addresses(mail.to),
    subject: mail.subject ?? '',
    inReplyTo: mail.inReplyTo ?? null,
    references,
    text: mail.text ?? '',
    date: mail.date?.toISOString() ?? null,
  }
}

/** Makes the bytes of a mail, with CRLF. Header values cannot smuggle in further headers: the composer folds them. */
export function composeMail(draft: MailDraft): Promise<Buffer> {
  const domain = draft.from.address.split('@')[1] ?? 'localhost'
  return new MailComposer({
    from: { name: draft.from.name ?? '', address: draft.from.address },
    to: { name: draft.to.name ?? '', address: draft.to.address },
    subject: draft.subject,
    text: draft.text,
    html: draft.html,
    inReplyTo: draft.inReplyTo,
    references: draft.references,
    messageId: draft.messageId ?? `<${randomUUID()}@${domain}>`,
    date: draft.date,
    newline: '\r\n',
  })
    .compile()
    .build()
}

/**
 * What an answer to a mail takes over from it: the whole References chain plus the mail itself, and one `Re:`.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5322#section-3.6.4
 */
export function answerTo(mail: MailSummary): { subject: string; inReplyTo?: string; references?: string[] } {
  const subject = /^re:/i.test(mail.subject) ? mail.subject : `Re: ${mail.subject}`
  if (mail.messageId === null) return { subject }
  const before =
    mail.references.length > 0 ? mail.references : mail.inReplyTo === null ? [] : [mail.inReplyTo]
  return { subject, inReplyTo: mail.messageId, references: [...before, mail.messageId] }
}

/** Puts a header line in front of all others. The bytes behind it stay as they are. */
export function prependHeader(raw: Buffer, line: string): Buffer {
  return Buffer.concat([Buffer.from(`${line}\r\n`), raw])
}

/** A fresh Message-ID for a mail that came without one. */
export function newMessageId(host: string): string {
  return `<${randomUUID()}@${host}>`
}

function addresses(header: AddressObject | AddressObject[] | undefined): MailAddress[] {
  return [header ?? []]
    .flat()
    .flatMap(({ value }) => value)
    .flatMap(({ address, name }) => (address ? [name ? { address, name } : { address }] : []))
}
