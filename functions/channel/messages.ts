/** Messages of both directions: the row in the Main table, and its content beside it in S3. */

import { z } from 'zod'
import type { Condition } from './expressions.ts'
import { PostroomError } from './faults.ts'
import type { MailStore } from './mail-store.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

const addressSchema = z.object({ address: z.string(), name: z.string().nullable() })
export type Address = z.infer<typeof addressSchema>

const outboundStates = [
  'queued',
  'sending',
  'retrying',
  'parked',
  'uncertain',
  'sent',
  'failed',
  'cancelled',
  'expired',
] as const

/** Nothing more will happen to a message in one of these by itself. */
export const finalStates: readonly string[] = ['sent', 'failed', 'cancelled', 'expired', 'uncertain']

const faultSchema = z.object({
  code: z.string(),
  actor: z.string(),
  summary: z.string(),
  evidence: z.string().nullable(),
})

const shared = {
  id: z.string(),
  accountId: z.string(),
  channelId: z.string(),
  messageId: z.string(),
  threadId: z.string(),
  from: z.array(addressSchema),
  to: z.array(addressSchema),
  cc: z.array(addressSchema),
  replyTo: z.array(addressSchema),
  subject: z.string(),
  inReplyTo: z.string().nullable(),
  references: z.array(z.string()),
  sizeBytes: z.int(),
  rawKey: z.string(),
  contentKey: z.string(),
  fault: faultSchema.nullable(),
}

const outboundSchema = z.object({
  ...shared,
  direction: z.literal('outbound'),
  state: z.enum(outboundStates),
  bcc: z.array(addressSchema),
  acceptedAt: z.string(),
  sendAt: z.string().nullable(),
  expiresAt: z.string(),
  onUncertain: z.enum(['report', 'resend']),
  /** Hash of the document as the app sent it: the same key with another document is a conflict. */
  documentHash: z.string(),
  attempt: z.int(),
  /** True from before the first body byte of the running attempt leaves until its outcome is known. */
  bodyStarted: z.boolean(),
  nextAttemptAt: z.string().nullable(),
  sentAt: z.string().nullable(),
  /** The Message-ID the provider says it gave the mail, where it says so. */
  providerMessageId: z.string().nullable(),
  rejectedRecipients: z.array(z.object({ address: z.string(), response: z.string() })),
})

const inboundSchema = z.object({
  ...shared,
  direction: z.literal('inbound'),
  state: z.literal('received'),
  receivedAt: z.string(),
  /** The Date header, as the sender's clock had it. */
  date: z.string().nullable(),
  folder: z.string(),
  uid: z.int(),
  uidValidity: z.string(),
})

const messageSchema = z.discriminatedUnion('direction', [outboundSchema, inboundSchema])

export type OutboundMessage = z.infer<typeof outboundSchema>
export type InboundMessage = z.infer<typeof inboundSchema>
export type Message = OutboundMessage | InboundMessage

/** What is too large for a row that changes often. */
const contentSchema = z.object({
  text: z.string().nullable(),
  html: z.string().nullable(),
  attachments: z.array(
    z.object({
      filename: z.string(),
      contentType: z.string(),
      sizeBytes: z.int(),
      contentId: z.string().nullable(),
      key: z.string(),
    }),
  ),
})

export type MessageContent = z.infer<typeof contentSchema>
const noContent: MessageContent = { text: null, html: null, attachments: [] }

/** No id of ours is longer, and DynamoDB takes no key of any length. */
const idLengthLimit = 128

const messageKey = (id: string) => ({ pk: `MESSAGE#${id}`, sk: 'MESSAGE' })
const listOf = (channelId: string, direction: string) => `MESSAGES#${channelId}#${direction}`

export interface Messages {
  find(id: string): Promise<Message | undefined>
  /** @throws PostroomError `message_not_found` */
  get(id: string): Promise<Message>
  /** @returns false if the message is there already */
  create(message: Message): Promise<boolean>
  change(
    id: string,
    change: Partial<OutboundMessage>,
    condition?: Condition,
  ): Promise<OutboundMessage | undefined>
  /** Newest first. */
  list(query: {
    channelId: string
    direction: 'inbound' | 'outbound'
    after: string | undefined
    limit: number
  }): Promise<PageOf<Message>>
  writeContent(contentKey: string, content: MessageContent): Promise<void>
  readContent(contentKey: string): Promise<MessageContent>
}

export function openMessages({ main, mail }: { main: Table; mail: MailStore }): Messages {
  const read = (item: Item) => readItem(messageSchema, item)

  return {
    async find(id) {
      if (id.length > idLengthLimit) return undefined
      const item = await main.get(messageKey(id))
      return item && read(item)
    },

    async get(id) {
      const message = await this.find(id)
      if (message) return message
      throw new PostroomError('message_not_found', {
        errors: [{ field: 'id', rule: 'must name a message', found: id.slice(0, 80) }],
      })
    },

    create(message) {
      const at = message.direction === 'outbound' ? message.acceptedAt : message.receivedAt
      return main.put(
        {
          ...messageKey(message.id),
          ...message,
          listPk: listOf(message.channelId, message.direction),
          listSk: `${at}#${message.id}`,
        },
        { exists: false },
      )
    },

    async change(id, change, condition) {
      const item = await main.update(messageKey(id), { set: change }, condition)
      return item && readItem(outboundSchema, item)
    },

    async list({ channelId, direction, after, limit }) {
      const keys = await main.listing(listOf(channelId, direction), { after, limit, descending: true })
      const items = await main.getMany(keys.items)
      return { items: items.filter(item => item !== undefined).map(read), after: keys.after }
    },

    writeContent(contentKey, content) {
      return mail.put(contentKey, Buffer.from(JSON.stringify(content)), 'application/json')
    },

    async readContent(contentKey) {
      const bytes = await mail.read(contentKey)
      return bytes ? contentSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))) : noContent
    },
  }
}

const shownContent = {
  text: z.string().nullable(),
  html: z.string().nullable().describe('As the sender wrote it: hostile until sanitized.'),
  attachments: z.array(
    contentSchema.shape.attachments.element.omit({ key: true }).extend({ index: z.int().min(0) }),
  ),
}

/** What an app sees. Storage keys and bookkeeping stay inside. */
export const messageDocumentSchemas = {
  outbound: outboundSchema
    .omit({ rawKey: true, contentKey: true, documentHash: true, bodyStarted: true })
    .extend(shownContent),
  inbound: inboundSchema.omit({ rawKey: true, contentKey: true }).extend(shownContent),
}

export function presentMessage(message: Message, content: MessageContent) {
  const attachments = content.attachments.map((attachment, index) => ({ ...attachment, index }))
  const shown = { ...message, ...content, attachments }
  return shown.direction === 'outbound'
    ? messageDocumentSchemas.outbound.parse(shown)
    : messageDocumentSchemas.inbound.parse(shown)
}
