/**
 * Reports about mail we may have sent: not delivered (RFC 3464, and as Exchange, Gmail, qmail and exim write it), late,
 * or called spam (RFC 5965). Anybody can write such a mail: what stands here are claims, and bounces.ts checks them.
 */

import { type Headers, headersIn } from './headers.ts'

interface ReportedRecipient {
  address: string
  /** RFC 3463, such as 5.1.1. */
  status: string | null
  /** Trying again is of no use: 5.x.x, or a server that gave up without saying more. */
  isPermanent: boolean
  /** What the last server said. */
  diagnostic: string | null
}

export interface Report {
  /** `delay`: the server still tries. `delivered`: it arrived, or was passed on. */
  kind: 'bounce' | 'delay' | 'delivered' | 'complaint'
  /** By what it was recognised. */
  evidence: string
  /** Message-IDs and Postroom ids of the mail it is about, as far as it says. */
  messageIds: string[]
  postroomIds: string[]
  recipients: ReportedRecipient[]
}

interface Part {
  contentType: string
  bytes: Uint8Array
}

interface ReportMail {
  headers: Headers
  text: string | null
  parts: Part[]
}

const partBytes = 64 * 1024
const recipientsLimit = 50
const idsLimit = 20
const diagnosticLength = 500

export function deliveryReport(mail: ReportMail): Report | null {
  return complaint(mail) ?? standardReport(mail) ?? plainReport(mail)
}

/** RFC 5965: `multipart/report; report-type=feedback-report`. */
function complaint({ parts }: ReportMail): Report | null {
  const feedback = parts.find(({ contentType }) => contentType === 'message/feedback-report')
  if (!feedback) return null
  const fields = headersIn(textOf(feedback))
  // Also authentication failures (RFC 6591) come in this form; they are about no mail of a person.
  const type = fields.first('feedback-type')?.toLowerCase()
  if (type === 'auth-failure' || type === 'not-spam') return null
  const original = originalHeaders(parts)
  const addresses = [...fields.all('original-rcpt-to'), ...(original?.all('to') ?? [])].flatMap(addressesOf)
  return {
    kind: 'complaint',
    evidence: `Feedback-Type: ${type ?? 'not said'}`.slice(0, 200),
    ...idsOf([original]),
    recipients: unique(addresses).map(address => ({
      address,
      status: null,
      isPermanent: true,
      diagnostic: `Feedback-Type: ${type ?? 'abuse'}`.slice(0, diagnosticLength),
    })),
  }
}

/** RFC 3464 2.1: one block about the report, then one for each recipient. */
function standardReport({ headers, parts }: ReportMail): Report | null {
  const status = parts.find(({ contentType }) =>
    ['message/delivery-status', 'message/global-delivery-status'].includes(contentType),
  )
  if (!status) return null
  const blocks = textOf(status)
    .replace(/\r\n?/g, '\n')
    .split(/\n\s*\n/)
    .map(headersIn)
  const told = blocks.flatMap(block => {
    const action = block
      .first('action')
      ?.toLowerCase()
      .split(/[\s(;]/)[0]
    const address = ['original-recipient', 'final-recipient']
      .flatMap(name => addressesOf(block.first(name) ?? ''))
      .at(0)
    return action === undefined ? [] : [{ action, address, block }]
  })
  const failed = told.filter(({ action }) => action === 'failed')
  const kind =
    failed.length > 0 ? 'bounce' : told.some(({ action }) => action === 'delayed') ? 'delay' : 'delivered'
  return {
    kind: told.length === 0 ? 'bounce' : kind,
    evidence: `Content-Type: ${status.contentType}`,
    ...idsOf([originalHeaders(parts), headersIn(textOf(status)), headers]),
    recipients: failed.slice(0, recipientsLimit).flatMap(({ address, block }) => {
      const diagnostic = diagnosticOf(block.first('diagnostic-code'))
      const code = statusIn(block.first('status') ?? '') ?? statusIn(diagnostic ?? '')
      return address === undefined
        ? []
        : [{ address, status: code, isPermanent: isPermanent(code), diagnostic }]
    }),
  }
}

/** Senders of bounces from before RFC 3464, and of some of today. */
const daemon = /^(mailer-daemon|postmaster|mail-daemon|mdaemon|microsoftexchange[0-9a-f]{20,})@/i
const failureSubject =
  /(undeliver|returned mail|delivery (status notification|failure|failed|has failed)|failure notice|mail delivery (failed|system)|unzustellbar|nicht zustell|non remis|échec de (la )?remise|non recapitabile|no se (ha podido|puede) entregar)/i
const lateSubject = /(delay|verzöger|retard|still being retried|wird verzögert)/i
/** Where the words of the server end and the mail that came back begins: qmail, exim, postfix, Exchange. */
const copyBegins =
  /^(--- below this line is a copy of the message|-{3,} ?this is a copy of the message|-{3,} ?original message|-{3,} ?the (header|body)|original message (headers|follows)|return-path:|received:)/im

function plainReport({ headers, text, parts }: ReportMail): Report | null {
  const evidence = plainEvidence(headers)
  if (evidence === null) return null
  const words = (text ?? '').slice(0, partBytes)
  const copyAt = copyBegins.exec(words)?.index ?? words.length
  const said = words.slice(0, copyAt)
  const failed = headers.all('x-failed-recipients').flatMap(addressesOf)
  // qmail: `<address>:` on a line of its own; exim: the address indented; both followed by what the server said.
  const named = [...said.matchAll(/^[ \t]*<?([^\s<>:]{1,64}@[^\s<>:]{1,190})>?:?[ \t]*$/gm)].map(
    ([, one]) => one ?? '',
  )
  const code = statusIn(said)
  const diagnostic = /^.*\b[45]\d\d[ -][^\n]{3,}$/m.exec(said)?.[0]
  const copy = originalHeaders(parts) ?? headersIn(words.slice(copyAt))
  return {
    kind: lateSubject.test(headers.first('subject') ?? '') && failed.length === 0 ? 'delay' : 'bounce',
    evidence,
    ...idsOf([copy, headers]),
    recipients: unique(failed.length > 0 ? failed : named).map(address => ({
      address,
      status: code,
      isPermanent: isPermanent(code),
      diagnostic: diagnosticOf(diagnostic),
    })),
  }
}

function plainEvidence(headers: Headers): string | null {
  // Exchange sets it without a value.
  if (headers.first('x-ms-exchange-message-is-ndr') !== undefined) return 'X-MS-Exchange-Message-Is-Ndr'
  const failed = headers.first('x-failed-recipients')
  if (failed !== undefined) return `X-Failed-Recipients: ${failed}`.slice(0, 200).toWellFormed()
  const from = addressesOf(headers.first('from') ?? '').at(0) ?? ''
  const subject = headers.first('subject') ?? ''
  if (daemon.test(from) && (failureSubject.test(subject) || lateSubject.test(subject)))
    return `From: ${from}`.slice(0, 200)
  return null
}

function originalHeaders(parts: Part[]): Headers | undefined {
  const original = parts.find(({ contentType }) =>
    ['message/rfc822', 'message/global', 'text/rfc822-headers', 'message/rfc822-headers'].includes(
      contentType,
    ),
  )
  if (!original) return undefined
  const text = textOf(original)
  return headersIn(text.slice(0, headEnd(text)))
}

function headEnd(text: string): number {
  const end = /\r?\n\r?\n/.exec(text)?.index
  return end ?? text.length
}

/** The mail's own ids first, then those that a server gave it; Exchange names the mail in In-Reply-To only. */
function idsOf(sources: (Headers | undefined)[]): Pick<Report, 'messageIds' | 'postroomIds'> {
  const [copy, ...others] = sources
  const values = [
    ...['message-id', 'x-microsoft-original-message-id', 'x-google-original-message-id'].flatMap(
      name => copy?.all(name) ?? [],
    ),
    ...others.flatMap(headers =>
      [
        'x-original-message-id',
        'original-message-id',
        'original-envelope-id',
        'in-reply-to',
        'references',
      ].flatMap(name => headers?.all(name) ?? []),
    ),
  ]
  return {
    messageIds: unique(values.flatMap(value => value.match(/<[^<>\s]{1,996}>/g) ?? [])).slice(0, idsLimit),
    postroomIds: unique(sources.flatMap(headers => headers?.all('x-postroom-id') ?? [])).slice(0, idsLimit),
  }
}

/** `rfc822; ada@example.org`, `<ada@example.org>`, or several with commas. */
function addressesOf(value: string): string[] {
  return (value.match(/[^\s<>,;:"()]{1,64}@[^\s<>,;:"()]{1,190}/g) ?? []).slice(0, recipientsLimit)
}

/** RFC 3463 2. */
function statusIn(text: string): string | null {
  return /(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])/.exec(text)?.[0] ?? null
}

function isPermanent(status: string | null): boolean {
  return status === null || status.startsWith('5')
}

function diagnosticOf(value: string | undefined): string | null {
  const text = value
    ?.replace(/^\s*(smtp|x-[\w-]+|dns)\s*;\s*/i, '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  return text ? text.slice(0, diagnosticLength).toWellFormed() : null
}

function unique(values: string[]): string[] {
  return [...new Set(values)].slice(0, recipientsLimit)
}

function textOf({ bytes }: Part): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, partBytes)).toString('utf8')
}
