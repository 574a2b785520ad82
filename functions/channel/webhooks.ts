/** Webhooks: URLs of apps outside AWS to which events are posted. What is stored of one, and what an app sees of it. */

import * as v from 'valibot'
import { accountIdSchema } from './account-id.ts'
import { eventTypes } from './events.ts'
import { PostroomError } from './faults.ts'
import { idLengthLimit } from './identifiers.ts'
import { parse } from './schema-check.ts'
import { integer } from './single-values.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

const webhookSchema = v.object({
  id: v.string(),
  /** Null: the operator's, which is told the events of every account. */
  accountId: v.nullable(v.string()),
  url: v.string(),
  /** Null for all types. */
  types: v.nullable(v.array(v.string())),
  /** A paused one is sent nothing until the app makes it active again. */
  state: v.picklist(['active', 'paused']),
  /** The versions its deliveries are signed with, newest first; two while a new secret is rolled out. */
  secrets: v.array(v.object({ version: integer, expiresAt: v.nullable(v.string()) })),
  createdAt: v.string(),
  /** Failures in a row, over all events; a success ends the episode. */
  failures: integer,
  failingSince: v.nullable(v.string()),
  lastFailure: v.nullable(v.object({ at: v.string(), evidence: v.string() })),
  /** While it lies ahead, nothing is sent: whoever does not answer is not hammered. */
  restsUntil: v.nullable(v.string()),
  /** Deliveries that failed before it are due again. */
  recoveredAt: v.nullable(v.string()),
  /** When `schedule` must ring for it. */
  wakeAt: v.nullable(v.string()),
})

export type Webhook = v.InferOutput<typeof webhookSchema>
type WebhookChange = Partial<Omit<Webhook, 'id' | 'accountId' | 'createdAt' | 'wakeAt'>>

const webhookKey = (id: string) => ({ pk: `WEBHOOK#${id}`, sk: 'WEBHOOK' })
/** All webhooks, account by account; one index partition, since it is written only when webhooks come and go. */
const listing = 'WEBHOOKS'
/** No account's id: names what the operator set up for all of them. */
const everyAccount = '*'
const listingPrefix = (accountId: string | null) => `${accountId ?? everyAccount}#`
const duePartition = 'DUE#WEBHOOKS'
/** How many webhooks an account may have, and the operator. */
export const webhookLimit = 10

export interface Webhooks {
  create(webhook: Webhook): Promise<void>
  find(id: string): Promise<Webhook | undefined>
  /** @throws PostroomError `webhook_not_found` */
  get(id: string): Promise<Webhook>
  /** @returns undefined if the webhook is gone */
  change(id: string, change: WebhookChange): Promise<Webhook | undefined>
  remove(id: string): Promise<void>
  /** @param accountId null lists the operator's, undefined all */
  list(
    accountId: string | null | undefined,
    page: { after: string | undefined; limit: number },
  ): Promise<PageOf<Webhook>>
  /** Those that want an event of this account: its own and the operator's. */
  listening(accountId: string, type: string): Promise<Webhook[]>
  /** Says when `schedule` must ring for it; null for not at all. */
  wake(webhook: Webhook, at: string | null): Promise<void>
  /** @returns ids of webhooks whose time has come */
  due(at: string, limit: number): Promise<string[]>
}

export function openWebhooks({ main }: { main: Table }): Webhooks {
  const read = (item: Item) => readItem(webhookSchema, item)

  async function page(prefix: string, { after, limit }: { after: string | undefined; limit: number }) {
    const keys = await main.listing(listing, { prefix, after, limit })
    const items = await main.getMany(keys.items)
    return { items: items.filter(item => item !== undefined).map(read), after: keys.after }
  }

  return {
    async create(webhook) {
      const listSk = `${listingPrefix(webhook.accountId)}${webhook.id}`
      await main.put({ ...webhookKey(webhook.id), ...webhook, listPk: listing, listSk }, { exists: false })
    },

    async find(id) {
      if (id.length > idLengthLimit) return undefined
      const item = await main.get(webhookKey(id))
      return item && read(item)
    },

    async get(id) {
      const webhook = await this.find(id)
      if (webhook) return webhook
      throw new PostroomError('webhook_not_found', {
        errors: [{ field: 'id', rule: 'must name a webhook', found: id.slice(0, 80) }],
      })
    },

    async change(id, change) {
      const item = await main.update(webhookKey(id), { set: change })
      return item && read(item)
    },

    async remove(id) {
      await main.remove(webhookKey(id))
    },

    list(accountId, options) {
      return page(accountId === undefined ? '' : listingPrefix(accountId), options)
    },

    async listening(accountId, type) {
      const limit = webhookLimit + 1
      const pages = await Promise.all(
        [accountId, null].map(owner => page(listingPrefix(owner), { after: undefined, limit })),
      )
      return pages
        .flatMap(({ items }) => items)
        .filter(({ state, types }) => state === 'active' && (types === null || types.includes(type)))
    },

    async wake({ id, wakeAt }, at) {
      if (wakeAt === at) return
      const change = at
        ? { set: { wakeAt: at, duePk: duePartition, dueSk: `${at}#${id}` } }
        : { set: { wakeAt: null }, remove: ['duePk', 'dueSk'] }
      await main.update(webhookKey(id), change)
    },

    async due(at, limit) {
      const keys = await main.due(duePartition, `${at}#\uffff`, limit)
      return keys.map(({ pk }) => pk.slice(webhookKey('').pk.length))
    },
  }
}

/** Where events may be posted: anywhere in public, and on this machine only where it is configured. */
export type Egress = 'public' | 'loopback'

const typesSchema = v.pipe(
  v.nullable(
    v.pipe(
      v.array(v.picklist(eventTypes, 'must be a type of event')),
      v.minLength(1, 'must not be empty'),
      v.maxLength(eventTypes.length),
    ),
  ),
  v.description('The events it is told; null for all.'),
)

const urlSchema = v.pipe(
  v.string(),
  v.maxLength(2_000, 'must be at most 2000 characters'),
  v.check(isWebUrl, 'must be an https URL without user and password (http only on loopback)'),
  v.description('Where events are posted. Redirects are not followed.'),
)

function isWebUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password, hostname } = new URL(text)
  if (username !== '' || password !== '') return false
  return (
    protocol === 'https:' || (protocol === 'http:' && /^(localhost|127(\.\d+){3}|\[::1\])$/.test(hostname))
  )
}

export const newWebhookSchema = v.strictObject({
  accountId: v.pipe(
    v.optional(accountIdSchema),
    v.description('Whose events. An operator who leaves it out is told the events of every account.'),
  ),
  url: urlSchema,
  types: v.optional(typesSchema, null),
})

export const webhookSettingsSchema = v.strictObject({
  url: v.optional(urlSchema),
  types: v.optional(typesSchema),
  state: v.optional(v.picklist(['active', 'paused'])),
})

/** What an app sees of it; never a secret. */
export const webhookDocumentSchema = v.omit(webhookSchema, ['recoveredAt', 'wakeAt'])

export function presentWebhook(webhook: Webhook): v.InferOutput<typeof webhookDocumentSchema> {
  return parse(webhookDocumentSchema, webhook)
}
