/** Raw mail → what an app shows. mailparser was chosen for fidelity: it reads what real senders mislabel. */

import { type AddressObject, type ParsedMail as ParsedBySimpleParser, simpleParser } from 'mailparser'
import type { Address } from '../channel/messages.ts'

export interface ParsedMail {
  /** With angle brackets, as the mail has it. */
  messageId: string | null
  inReplyTo: string | null
  references: string[]
  from: Address[]
  to: Address[]
  cc: Address[]
  replyTo: Address[]
  subject: string
  date: string | null
  text: string | null
  html: string | null
  attachments: { filename: string; contentType: string; contentId: string | null; bytes: Uint8Array }[]
}

/** More ancestors than any mail program shows; a header of megabytes must not become a row of megabytes. */
const referencesLimit = 50
const addressLimit = 100
/** RFC 5321 4.5.3.1.3 */
const addressLength = 254
const nameLength = 128
const subjectLimit = 2_000

/** @throws Error of the parser, on mail it cannot make sense of */
export async function parseMail(raw: Uint8Array): Promise<ParsedMail> {
  const mail = await simpleParser(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength), {
    skipTextToHtml: true,
    skipImageLinks: true,
  })
  return {
    messageId: messageIds(mail.messageId)[0] ?? null,
    inReplyTo: messageIds(mail.inReplyTo)[0] ?? null,
    references: messageIds(mail.references).slice(-referencesLimit),
    from: addresses(mail.from),
    to: addresses(mail.to),
    cc: addresses(mail.cc),
    replyTo: addresses(mail.replyTo),
    subject: printable(mail.subject ?? '').slice(0, subjectLimit),
    date: dateOf(mail),
    text: mail.text ?? null,
    html: typeof mail.html === 'string' ? mail.html : null,
    attachments: mail.attachments.map(attachment => ({
      filename: printable(attachment.filename ?? 'attachment').slice(0, 255),
      contentType: attachment.contentType,
      contentId: attachment.contentId ?? null,
      bytes: attachment.content,
    })),
  }
}

/** The parser makes "now" of a date it cannot read; nobody shall take that for the sender's. */
function dateOf({ date, headerLines }: ParsedBySimpleParser): string | null {
  const line = headerLines.find(({ key }) => key === 'date')?.line ?? ''
  const isReadable = !Number.isNaN(Date.parse(line.slice(line.indexOf(':') + 1).trim()))
  return isReadable && date && !Number.isNaN(date.getTime()) ? date.toISOString() : null
}

/** RFC 5322 3.6.4 as it is found: ids with and without brackets, separated by anything. */
function messageIds(value: string | string[] | undefined): string[] {
  const text = Array.isArray(value) ? value.join(' ') : (value ?? '')
  return (text.match(/<[^<>\s]{1,996}>/g) ?? []).map(printable)
}

function addresses(value: AddressObject | AddressObject[] | undefined): Address[] {
  const objects = value === undefined ? [] : Array.isArray(value) ? value : [value]
  return objects
    .flatMap(object => object.value)
    .flatMap(entry => [entry, ...(entry.group ?? [])])
    .filter(entry => entry.address)
    .slice(0, addressLimit)
    .map(entry => ({
      address: printable(entry.address ?? '').slice(0, addressLength),
      name: entry.name ? printable(entry.name).slice(0, nameLength) : null,
    }))
}

/** Control characters have no business in a header's value. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').trim()
}
