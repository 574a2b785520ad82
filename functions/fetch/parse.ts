/**
 * Raw mail → what an app shows. mailparser was chosen for fidelity: it reads UTF-8 that is labelled us-ascii, letters
 * split between two encoded words and windows-1252 that calls itself iso-8859-1, where postal-mime leaves garbage
 * (test/fetch/fidelity.test.ts). It has no limit of time or memory, so parser.ts runs this in a worker.
 */

import { type Attachment, type ParsedMail as ParsedByMailparser, simpleParser } from 'mailparser'
import { attachmentName } from './attachment-name.ts'
import { automaticOf, listIdOf } from './automatic.ts'
import { deliveryReport } from './delivery-report.ts'
import { type Headers, headersOf } from './headers.ts'
import { htmlToPlainText } from './html-text.ts'
import { addressesIn, messageIdsIn, oneLine } from './mail-values.ts'
import type { ParsedMail } from './parsed-mail.ts'
import { splitReply } from './reply.ts'
import { sanitizedHtml } from './sanitized-html.ts'

/** More ancestors than any mail program shows; a header of megabytes must not become a row of megabytes. */
const referencesLimit = 50
/** A row of DynamoDB takes 400 KB, and a name can be 4 bytes a letter. */
const addressLimits = { from: 10, to: 100, cc: 100, replyTo: 10 }
const subjectLimit = 2_000
/** Of one part of the mail. Real headers are below 64 KB; a list of a few thousand ancestors or recipients is not. */
const headerBytesLimit = 1024 * 1024
/** Parts of parts count as well, so that this limits the depth too. */
const partsLimit = 500
/** HTML that is longer is kept, and no text made of it. */
const htmlToTextLimit = 1_000_000

/** @throws Error of the parser, on mail it cannot make sense of or that passes a limit */
export async function parseMail(raw: Uint8Array): Promise<ParsedMail> {
  const mail = await simpleParser(Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength), {
    skipTextToHtml: true,
    skipImageLinks: true,
    keepDeliveryStatus: true,
    // A mail within the mail is its own, even where it says "inline": what it says is not the sender's word.
    ignoreEmbedded: true,
    checksumAlgo: false,
    maxHeadSize: headerBytesLimit,
    maxChildNodes: partsLimit,
    maxHtmlLengthToParse: htmlToTextLimit,
  })
  const headers = headersOf(mail.headerLines)
  const html = mail.html || null
  const text = textOf(mail, html)
  const report = deliveryReport({ headers, text, parts: mail.attachments.map(partOf) })
  return {
    messageId: messageIdsIn(mail.messageId)[0] ?? null,
    inReplyTo: messageIdsIn(mail.inReplyTo)[0] ?? null,
    references: messageIdsIn(mail.references).slice(-referencesLimit),
    conversation: conversationOf(headers),
    from: addressesIn(mail.from, addressLimits.from),
    to: addressesIn(mail.to, addressLimits.to),
    cc: addressesIn(mail.cc, addressLimits.cc),
    replyTo: addressesIn(mail.replyTo, addressLimits.replyTo),
    subject: oneLine(mail.subject ?? '', subjectLimit),
    date: dateOf(mail, headers),
    text,
    html,
    htmlSanitized: html === null ? null : sanitizedHtml(html),
    ...splitReply(text ?? ''),
    attachments: mail.attachments.map(attachment => ({
      filename: attachmentName(attachment.filename),
      contentType: oneLine(attachment.contentType, 200),
      contentId: attachment.contentId ? oneLine(attachment.contentId, 500) : null,
      disposition: attachment.contentDisposition === 'inline' || attachment.related ? 'inline' : 'attachment',
      bytes: attachment.content,
    })),
    automatic: automaticOf(headers, report),
    listId: listIdOf(headers),
    postroomIds: headers.all('x-postroom-id').slice(0, 5),
    report,
  }
}

function partOf({ contentType, content }: Attachment) {
  return { contentType, bytes: content }
}

/** The sender's own text; where there is only HTML, one made of it. */
function textOf(mail: ParsedByMailparser, html: string | null): string | null {
  const contentType = mail.headers.get('content-type')
  const isHtmlAlone =
    typeof contentType === 'object' && 'value' in contentType && contentType.value === 'text/html'
  const hasText = mail.text !== undefined && mail.text.trim() !== ''
  if (html === null || (hasText && !isHtmlAlone)) return mail.text ?? null
  return html.length > htmlToTextLimit ? null : htmlToPlainText(html)
}

/** The parser makes "now" of a date it cannot read; nobody shall take that for the sender's. */
function dateOf({ date }: ParsedByMailparser, headers: Headers): string | null {
  const isReadable = !Number.isNaN(Date.parse(headers.first('date') ?? ''))
  return isReadable && date && !Number.isNaN(date.getTime()) ? date.toISOString() : null
}

/** [MS-OXOMSG] 2.2.1.3: 22 bytes stand for the conversation, and each answer adds 5. */
function conversationOf(headers: Headers): string | null {
  const index = Buffer.from(headers.first('thread-index') ?? '', 'base64')
  return index.byteLength < 22 ? null : `Thread-Index ${index.subarray(0, 22).toString('base64url')}`
}
