/** Messages of both directions: the row in the Main table, and its content beside it in S3. */

import * as z from 'zod'
import type { Condition } from './expressions.ts'
import { PostroomError } from './faults.ts'
import type { MailStore } from './mail-store.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

const addressSchema = z.object({ address: z.string(), name: z.string().nullable() })
export type Address = z.infer<typeof addressSchema>

const outboundStates = [
  'queued',
  // From before the first byte of the body leaves until the outcome is known.
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

/** What a report said about one recipient of a mail of ours (functions/fetch/bounces.ts checks whose it is). */
const bounceSchema = z.object({
  /** `complaint`: the recipient, or their provider, called it spam. */
  kind: z.enum(['bounce', 'complaint']),
  /** null where the report names nobody, and the mail went to several. */
  recipient: z.string().nullable(),
  /** RFC 3463, such as 5.1.1. */
  status: z.string().nullable(),
  isPermanent: z.boolean(),
  diagnostic: z.string().nullable(),
  /** The received message that says so. */
  reportId: z.string(),
  reportedAt: z.string(),
})
export type Bounce = z.infer<typeof bounceSchema>

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
  /** How often a server was asked to take it, and the mail itself was the reason if it did not. */
  attempt: z.int(),
  /** Of the drain that wrote last: one that lost its lease has a lower number, and writes no more. */
  epoch: z.int().default(0),
  /**
   * When the Sent folder is looked into for it, and how often that was done: to learn what became of an
   * uncertain message, or to put a copy of a sent one there. Null where there is nothing to look for.
   */
  sentLook: z.object({ tries: z.int(), at: z.string() }).nullable().default(null),
  nextAttemptAt: z.string().nullable(),
  /** After which restore of the tables it was looked for in Sent, so that it may leave. */
  soughtAfter: z.string().optional(),
  sentAt: z.string().nullable(),
  /** The Message-ID the provider says it gave the mail, where it says so. */
  providerMessageId: z.string().nullable(),
  rejectedRecipients: z.array(z.object({ address: z.string(), response: z.string() })),
  /** Where its copy was seen last, in a folder that is read (channel's `folders`) beside INBOX. */
  filed: z.object({ folder: z.string(), uidValidity: z.string(), uid: z.int() }).optional(),
  bounces: z.array(bounceSchema).optional(),
  /** Grows with `bounces`: of two reports that come together, neither overwrites the other. */
  bounceCount: z.int().optional(),
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
  /** Why no program should answer it, and which header says so; null: a person seems to have written it. */
  automatic: z.object({ kind: z.string(), evidence: z.string() }).nullable().default(null),
  listId: z.string().nullable().default(null),
  /** It comes from this very mailbox: a copy to oneself, or a mail of ours that came back. */
  isFromSelf: z.boolean().default(false),
  /** What it reports about a mail. `about` is our message, if it is one of this channel. */
  report: z.object({ kind: z.string(), about: z.string().nullable() }).nullable().default(null),
})

const messageSchema = z.discriminatedUnion('direction', [outboundSchema, inboundSchema])

export type OutboundMessage = z.infer<typeof outboundSchema>
export type InboundMessage = z.infer<typeof inboundSchema>
export type Message = OutboundMessage | InboundMessage

/** What is too large for a row that changes often. */
const contentSchema = z.object({
  text: z.string().nullable(),
  html: z.string().nullable(),
  /** HTML a page may show; null where there is none, or where it could not be made safe. */
  htmlSanitized: z.string().nullable().default(null),
  /** What the sender wrote in this mail, apart from what was quoted and signed. */
  reply: z.string().nullable().default(null),
  quoted: z.string().nullable().default(null),
  signature: z.string().nullable().default(null),
  attachments: z.array(
    z.object({
      filename: z.string(),
      contentType: z.string(),
      sizeBytes: z.int(),
      contentId: z.string().nullable(),
      /** `inline`: shown within the text, as a picture is. */
      disposition: z.enum(['inline', 'attachment']).default('attachment'),
      key: z.string(),
    }),
  ),
})

export type MessageContent = z.infer<typeof contentSchema>
const noContent = contentSchema.parse({ text: null, html: null, attachments: [] })

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
  /** For a mail that is read once more. */
  changeReceived(id: string, change: Partial<InboundMessage>): Promise<void>
  /** Newest first. */
  list(query: {
    channelId: string
    direction: 'inbound' | 'outbound'
    after: string | undefined
    limit: number
  }): Promise<PageOf<Message>>
  writeContent(contentKey: string, content: z.input<typeof contentSchema>): Promise<void>
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

    async changeReceived(id, change) {
      await main.update(messageKey(id), { set: change }, { equals: { direction: 'inbound' } })
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

/** Where the answer has no room for all of a message. */
const shortened = {
  truncated: z.array(z.string()).default([]).describe('Fields that are shorter here than in the message.'),
  attachmentCount: z.int().optional().describe('How many there are, where not all are listed.'),
}

const shownContent = {
  ...shortened,
  text: z.string().nullable(),
  html: z.string().nullable().describe('As the sender wrote it: hostile until sanitized.'),
  attachments: z.array(
    contentSchema.shape.attachments.element.omit({ key: true }).extend({ index: z.int().min(0) }),
  ),
}

/** What an app sees. Storage keys and bookkeeping stay inside. */
export const messageDocumentSchemas = {
  outbound: outboundSchema
    .omit({
      rawKey: true,
      contentKey: true,
      documentHash: true,
      epoch: true,
      sentLook: true,
      bounceCount: true,
    })
    .extend({ ...shownContent, bounces: z.array(bounceSchema).default([]) }),
  inbound: inboundSchema.omit({ rawKey: true, contentKey: true }).extend({
    ...shownContent,
    ...contentSchema.pick({ htmlSanitized: true, reply: true, quoted: true, signature: true }).shape,
  }),
}

export function presentMessage(message: Message, content: MessageContent) {
  const attachments = content.attachments.map((attachment, index) => ({ ...attachment, index }))
  const shown = { ...message, ...content, attachments }
  return shown.direction === 'outbound'
    ? messageDocumentSchemas.outbound.parse(shown)
    : messageDocumentSchemas.inbound.parse(shown)
}
