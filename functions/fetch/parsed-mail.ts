/** What is known of a mail once it is parsed, and what where it cannot be. */

import type { Address } from '../channel/messages.ts'
import type { Automatic } from './automatic.ts'
import type { Report } from './delivery-report.ts'
import type { Reply } from './reply.ts'

interface ParsedAttachment {
  filename: string
  contentType: string
  /** With angle brackets; what a `cid:` link of the HTML means. */
  contentId: string | null
  disposition: 'inline' | 'attachment'
  bytes: Uint8Array
}

export interface ParsedMail extends Reply {
  /** With angle brackets, as the mail has it. */
  messageId: string | null
  inReplyTo: string | null
  references: string[]
  /** What Exchange calls the conversation ([MS-OXOMSG] 2.2.1.3): the same for all mails of one. */
  conversation: string | null
  from: Address[]
  to: Address[]
  cc: Address[]
  replyTo: Address[]
  subject: string
  date: string | null
  text: string | null
  html: string | null
  htmlSanitized: string | null
  attachments: ParsedAttachment[]
  automatic: Automatic | null
  listId: string | null
  /** Ids of Postroom messages that the mail says it is, or is about. Anybody can write them. */
  postroomIds: string[]
  report: Report | null
}

export const unreadable: ParsedMail = {
  messageId: null,
  inReplyTo: null,
  references: [],
  conversation: null,
  from: [],
  to: [],
  cc: [],
  replyTo: [],
  subject: '',
  date: null,
  text: null,
  html: null,
  htmlSanitized: null,
  reply: null,
  quoted: null,
  signature: null,
  attachments: [],
  automatic: null,
  listId: null,
  postroomIds: [],
  report: null,
}
