/** The message and content that `ingest` would make of a parsed mail. */

import type { InboundMessage, MessageContent } from '../../functions/channel/messages.ts'
import type { ParsedMail } from '../../functions/fetch/parsed-mail.ts'

export function messageOf(mail: ParsedMail): [InboundMessage, MessageContent] {
  const { text, html, htmlSanitized, reply, quoted, signature, attachments, ...header } = mail
  const { from, to, cc, replyTo, subject, date, inReplyTo, references, automatic, listId } = header
  const message: InboundMessage = {
    ...{ id: 'msg_1', accountId: 'acme', channelId: 'ch_1', direction: 'inbound', state: 'received' },
    ...{ from, to, cc, replyTo, subject, date, inReplyTo, references, automatic, listId },
    ...{ messageId: mail.messageId ?? '<none@invalid>', threadId: 'th_1', sizeBytes: 0, fault: null },
    ...{ rawKey: 'raw', contentKey: 'content', receivedAt: '2026-11-24T10:00:00.000Z' },
    ...{ folder: 'INBOX', uid: 1, uidValidity: '1', isFromSelf: false, report: null },
  }
  const listed = attachments.map(({ bytes, ...attachment }, index) => ({
    ...attachment,
    sizeBytes: bytes.byteLength,
    key: String(index),
  }))
  return [message, { text, html, htmlSanitized, reply, quoted, signature, attachments: listed }]
}
