/** Messages of both directions: the row in the Main table, and its content beside it in S3. */

import * as v from 'valibot'
import type { Condition } from './expressions.ts'
import { PostroomError } from './faults.ts'
import { idLengthLimit } from './identifiers.ts'
import type { MailStore } from './mail-store.ts'
import { parse } from './schema-check.ts'
import { integer } from './single-values.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

const addressSchema = v.object({ address: v.string(), name: v.nullable(v.string()) })
export type Address = v.InferOutput<typeof addressSchema>

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

const faultSchema = v.object({
  code: v.string(),
  actor: v.string(),
  summary: v.string(),
  evidence: v.nullable(v.string()),
})

/** What a report said about one recipient of a mail of ours (functions/fetch/bounces.ts checks whose it is). */
export const bounceSchema = v.object({
  /** `complaint`: the recipient, or their provider, called it spam. */
  kind: v.picklist(['bounce', 'complaint']),
  /** null where the report names nobody, and the mail went to several. */
  recipient: v.nullable(v.string()),
  /** RFC 3463, such as 5.1.1. */
  status: v.nullable(v.string()),
  isPermanent: v.boolean(),
  diagnostic: v.nullable(v.string()),
  /** The received message that says so. */
  reportId: v.string(),
  reportedAt: v.string(),
})
export type Bounce = v.InferOutput<typeof bounceSchema>

const shared = {
  id: v.string(),
  accountId: v.string(),
  channelId: v.string(),
  messageId: v.string(),
  threadId: v.string(),
  from: v.array(addressSchema),
  to: v.array(addressSchema),
  cc: v.array(addressSchema),
  replyTo: v.array(addressSchema),
  subject: v.string(),
  inReplyTo: v.nullable(v.string()),
  references: v.array(v.string()),
  sizeBytes: integer,
  rawKey: v.string(),
  contentKey: v.string(),
  fault: v.nullable(faultSchema),
}

export const outboundSchema = v.object({
  ...shared,
  direction: v.literal('outbound'),
  state: v.picklist(outboundStates),
  bcc: v.array(addressSchema),
  acceptedAt: v.string(),
  sendAt: v.nullable(v.string()),
  expiresAt: v.string(),
  onUncertain: v.picklist(['report', 'resend']),
  /** Hash of the document as the app sent it: the same key with another document is a conflict. */
  documentHash: v.string(),
  /** How often a server was asked to take it, and the mail itself was the reason if it did not. */
  attempt: integer,
  /** Of the drain that wrote last: one that lost its lease has a lower number, and writes no more. */
  epoch: v.optional(integer, 0),
  /**
   * When the Sent folder is looked into for it, and how often that was done: to learn what became of an
   * uncertain message, or to put a copy of a sent one there. Null where there is nothing to look for.
   */
  sentLook: v.optional(v.nullable(v.object({ tries: integer, at: v.string() })), null),
  nextAttemptAt: v.nullable(v.string()),
  /** After which restore of the tables it was looked for in Sent, so that it may leave. */
  soughtAfter: v.optional(v.string()),
  sentAt: v.nullable(v.string()),
  /** The Message-ID the provider says it gave the mail, where it says so. */
  providerMessageId: v.nullable(v.string()),
  rejectedRecipients: v.array(v.object({ address: v.string(), response: v.string() })),
  /** Where its copy was seen last, in a folder that is read (channel's `folders`) beside INBOX. */
  filed: v.optional(v.object({ folder: v.string(), uidValidity: v.string(), uid: integer })),
  bounces: v.optional(v.array(bounceSchema)),
  /** Grows with `bounces`: of two reports that come together, neither overwrites the other. */
  bounceCount: v.optional(integer),
})

export const inboundSchema = v.object({
  ...shared,
  direction: v.literal('inbound'),
  state: v.literal('received'),
  receivedAt: v.string(),
  /** The Date header, as the sender's clock had it. */
  date: v.nullable(v.string()),
  folder: v.string(),
  uid: integer,
  uidValidity: v.string(),
  /** Why no program should answer it, and which header says so; null: a person seems to have written it. */
  automatic: v.optional(v.nullable(v.object({ kind: v.string(), evidence: v.string() })), null),
  listId: v.optional(v.nullable(v.string()), null),
  /** It comes from this very mailbox: a copy to oneself, or a mail of ours that came back. */
  isFromSelf: v.optional(v.boolean(), false),
  /** What it reports about a mail. `about` is our message, if it is one of this channel. */
  report: v.optional(v.nullable(v.object({ kind: v.string(), about: v.nullable(v.string()) })), null),
})

const messageSchema = v.variant('direction', [outboundSchema, inboundSchema])

export type OutboundMessage = v.InferOutput<typeof outboundSchema>
export type InboundMessage = v.InferOutput<typeof inboundSchema>
export type Message = OutboundMessage | InboundMessage

/** What is too large for a row that changes often. */
export const contentSchema = v.object({
  text: v.nullable(v.string()),
  html: v.nullable(v.string()),
  /** HTML a page may show; null where there is none, or where it could not be made safe. */
  htmlSanitized: v.optional(v.nullable(v.string()), null),
  /** What the sender wrote in this mail, apart from what was quoted and signed. */
  reply: v.optional(v.nullable(v.string()), null),
  quoted: v.optional(v.nullable(v.string()), null),
  signature: v.optional(v.nullable(v.string()), null),
  attachments: v.array(
    v.object({
      filename: v.string(),
      contentType: v.string(),
      sizeBytes: integer,
      contentId: v.nullable(v.string()),
      /** `inline`: shown within the text, as a picture is. */
      disposition: v.optional(v.picklist(['inline', 'attachment']), 'attachment'),
      key: v.string(),
    }),
  ),
})

export type MessageContent = v.InferOutput<typeof contentSchema>
const noContent = parse(contentSchema, { text: null, html: null, attachments: [] })

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
  writeContent(contentKey: string, content: v.InferInput<typeof contentSchema>): Promise<void>
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
      return bytes ? parse(contentSchema, JSON.parse(Buffer.from(bytes).toString('utf8'))) : noContent
    },
  }
}
