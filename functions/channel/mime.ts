/** Builds the frozen bytes of a reply: the same document at the same time always gives the same bytes. */

import { createHash } from 'node:crypto'
import type { AttachedFile } from './attached-files.ts'
import type { MessageDocument } from './message-document.ts'
import type { Address } from './messages.ts'

export interface Letter {
  id: string
  messageId: string
  date: Date
  from: Address
  document: MessageDocument
  files: AttachedFile[]
  inReplyTo: string | null
  references: string[]
}

export async function composeMime(letter: Letter): Promise<Buffer> {
  const { id, messageId, date, from, document, files, inReplyTo, references } = letter
  // Most cold starts compose nothing.
  const { default: MailComposer } = await import('nodemailer/lib/mail-composer')
  const composer = new MailComposer({
    messageId,
    date,
    from: listed(from),
    to: document.to,
    cc: document.cc,
    replyTo: document.replyTo,
    subject: document.subject,
    text: withLineEnds(document.text),
    html: withLineEnds(document.html),
    inReplyTo: inReplyTo ?? undefined,
    references: references.length > 0 ? references : undefined,
    headers: {
      ...document.headers,
      // By this we find the mail again in Sent where the provider gives it a Message-ID of its own.
      'X-Postroom-Id': id,
      // RFC 3834 5, and Exchange's own wish for no automatic answers.
      ...(document.automatic && {
        'Auto-Submitted': document.automatic === 'reply' ? 'auto-replied' : 'auto-generated',
        'X-Auto-Response-Suppress': 'All',
      }),
    },
    attachments: files.map(({ filename, contentType, contentId, bytes }) => ({
      filename,
      contentType: safeType(contentType),
      // RFC 2387: beside the HTML that shows it, in one multipart/related.
      ...(contentId !== null && { cid: contentId, contentDisposition: 'inline' as const }),
      contentTransferEncoding: 'base64' as const,
      content: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    })),
    // Boundaries are random unless told; frozen bytes must not depend on chance.
    baseBoundary: createHash('sha256').update(id).digest('hex').slice(0, 24),
    newline: '\r\n',
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return composer.compile().build()
}

function listed({ address, name }: Address) {
  return name === null ? { address } : { address, name }
}

/** RFC 5322 2.3: CR and LF stand together only; servers refuse a mail where they do not. */
function withLineEnds(text: string | undefined): string | undefined {
  return text?.replace(/\r\n|\r|\n/g, '\r\n')
}

/** RFC 2045 6.4 allows mails and multiparts no encoding, and a file's bytes are not safe without one. */
function safeType(contentType: string): string {
  return /^(message|multipart)\//i.test(contentType) ? 'application/octet-stream' : contentType
}
