/** A message as an app sees it: its row and its content together, without storage keys and bookkeeping. */

import * as v from 'valibot'
import {
  bounceSchema,
  contentSchema,
  inboundSchema,
  type Message,
  type MessageContent,
  outboundSchema,
} from './messages.ts'
import { parse } from './schema-check.ts'
import { integer } from './single-values.ts'

/** Where the answer has no room for all of a message. */
const shortened = {
  truncated: v.pipe(
    v.optional(v.array(v.string()), []),
    v.description('Fields that are shorter here than in the message.'),
  ),
  attachmentCount: v.pipe(
    v.optional(integer),
    v.description('How many there are, where not all are listed.'),
  ),
}

const shownContent = {
  ...shortened,
  text: v.nullable(v.string()),
  html: v.pipe(v.nullable(v.string()), v.description('As the sender wrote it: hostile until sanitized.')),
  attachments: v.array(
    v.object({
      ...v.omit(contentSchema.entries.attachments.item, ['key']).entries,
      index: v.pipe(integer, v.minValue(0)),
    }),
  ),
}

export const messageDocumentSchemas = {
  outbound: v.object({
    ...v.omit(outboundSchema, ['rawKey', 'contentKey', 'documentHash', 'epoch', 'sentLook', 'bounceCount'])
      .entries,
    ...shownContent,
    bounces: v.optional(v.array(bounceSchema), []),
  }),
  inbound: v.object({
    ...v.omit(inboundSchema, ['rawKey', 'contentKey']).entries,
    ...shownContent,
    ...v.pick(contentSchema, ['htmlSanitized', 'reply', 'quoted', 'signature']).entries,
  }),
}

export function presentMessage(message: Message, content: MessageContent) {
  const attachments = content.attachments.map((attachment, index) => ({ ...attachment, index }))
  const shown = { ...message, ...content, attachments }
  return shown.direction === 'outbound'
    ? parse(messageDocumentSchemas.outbound, shown)
    : parse(messageDocumentSchemas.inbound, shown)
}
