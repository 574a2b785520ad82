/** Channels: one connected mailbox of one account. What is stored of it, and what an app sees of it. */

import * as z from 'zod'
import { connectionOf, connectionSchema, faultSchema, healthFields } from './channel-health.ts'
import type { Condition } from './expressions.ts'
import { describeFault, type Fault, PostroomError } from './faults.ts'
import { folderRoles } from './folder-roles.ts'
import { errorForLog, log } from './log.ts'
import { addressSchema } from './mail-address.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

/** What is read of a mailbox until the app wants more. */
export const defaultFolders = ['INBOX']

const channelSchema = z.object({
  id: z.string(),
  accountId: z.string(),
  provider: z.string(),
  /** The provider's key claims (tid and oid, or iss and sub). */
  identity: z.record(z.string(), z.string()),
  /** The mailbox's address: display and From. */
  email: z.string(),
  displayName: z.string().nullable(),
  sharedMailbox: z.string().nullable(),
  /** Further addresses that may stand in From, which the app vouches for; the provider has the last word. */
  aliases: z.array(z.string()).default([]),
  /** How its owner is written to when it must be reconnected; null for not at all (send/owner-notice.ts). */
  ownerNotice: z
    .object({
      from: z.string().describe('The channel of the same account that the mail is sent from.'),
      to: z.string().nullable().describe('Null for the mailbox’s own address.'),
    })
    .nullable()
    .default(null),
  /** What is read, each by its name or its role (channelSettingsSchema). */
  folders: z.array(z.string()).default(defaultFolders),
  /** Where each of them but INBOX lies, as the server spells it; null: there was no such folder. */
  folderPaths: z
    .record(z.string(), z.object({ path: z.string().nullable(), lookedAt: z.string() }))
    .default({}),
  /** XOAUTH2 user name per protocol. */
  login: z.object({ imap: z.string(), smtp: z.string() }),
  /** Another name that the provider gave the owner since, and that was looked into (renamed-login.ts). */
  namedAs: z.string().optional(),
  /** The OAuth app the grant was given to: another one cannot use it. */
  clientId: z.string(),
  ...healthFields,
  /** While something is blocked: when it is tried again. */
  nextProbeAt: z.string().nullable(),
  grantId: z.string(),
  connectedAt: z.string(),
  /** Mail that arrived before is not reported. */
  fetchSince: z.string(),
  lastFetchedAt: z
    .string()
    .nullable()
    .describe(
      'When the mailbox was last read, whether or not there was mail. In a mailbox where nothing arrives it may lag by three hours, and longer only if nothing could be read; `connection` and `isOverdue` tell that sooner.',
    ),
  /** When mail last came, or somebody asked for a poll; absent until then (poll-interval.ts). */
  lastActiveAt: z.string().optional(),
  /** Set once the app disconnected it; nothing is sent or fetched any more. */
  disconnectedAt: z.string().nullable(),
  /** Events that were decided together with the last change and are not announced yet. */
  unannounced: z.array(z.object({ type: z.string(), at: z.string(), reminder: z.int().optional() })),
})

export type Channel = z.infer<typeof channelSchema>
export type ChannelChange = Partial<Omit<Channel, 'id' | 'accountId' | 'provider' | 'identity'>>

/** No id of ours is longer, and DynamoDB takes no key of any length. */
const idLengthLimit = 128

const channelKey = (id: string) => ({ pk: `CHANNEL#${id}`, sk: 'CHANNEL' })
/** All channels, account by account; one index partition, since it is written only when channels come and go. */
const listing = 'CHANNELS'
const listingPrefix = (accountId: string | null) => (accountId === null ? '' : `${accountId}#`)

export interface Channels {
  /** @returns undefined for an unknown id */
  find(id: string): Promise<Channel | undefined>
  findMany(ids: string[]): Promise<Channel[]>
  /** @throws PostroomError `channel_not_found` */
  get(id: string): Promise<Channel>
  /** Stores a new channel. @returns false if it is there already */
  create(channel: Channel): Promise<boolean>
  /**
   * A change of `unannounced` says what `wakeAt` is, too: both decide when `schedule` looks at the channel.
   * @returns undefined if the channel is gone or the condition did not hold
   */
  change(id: string, change: ChannelChange, condition?: Condition): Promise<Channel | undefined>
  /** Ids alone, of all accounts, page by page. Eventually consistent. */
  ids(page: { after: string | undefined; limit: number }): Promise<PageOf<string>>
  list(accountId: string | null, page: { after: string | undefined; limit: number }): Promise<PageOf<Channel>>
}

export function openChannels({ main }: { main: Table }): Channels {
  const read = (item: Item) => readItem(channelSchema, item)

  /** One damaged item keeps nobody from the others. */
  function readable(item: Item): Channel[] {
    try {
      return [read(item)]
    } catch (error) {
      log({ event: 'channel_unreadable', ...errorForLog(error) })
      return []
    }
  }

  return {
    async find(id) {
      if (id.length > idLengthLimit) return undefined
      const item = await main.get(channelKey(id))
      return item && read(item)
    },

    async findMany(ids) {
      const items = await main.getMany(ids.map(channelKey))
      return items.flatMap(item => (item ? readable(item) : []))
    },

    async get(id) {
      const channel = await this.find(id)
      if (channel) return channel
      throw new PostroomError('channel_not_found', {
        errors: [{ field: 'channelId', rule: 'must name a channel of this account', found: id.slice(0, 80) }],
      })
    },

    create(channel) {
      const item = {
        ...channelKey(channel.id),
        ...channel,
        listPk: listing,
        listSk: `${listingPrefix(channel.accountId)}${channel.id}`,
        ...dueOf(channel),
      }
      return main.put(item, { exists: false })
    },

    async change(id, change, condition) {
      const due = dueOf({ id, unannounced: change.unannounced ?? [], wakeAt: change.wakeAt ?? null })
      const isDone = change.unannounced?.length === 0 && Object.keys(due).length === 0
      const item = await main.update(
        channelKey(id),
        { set: { ...change, ...due }, ...(isDone && { remove: ['duePk', 'dueSk'] }) },
        condition,
      )
      return item && read(item)
    },

    async ids(page) {
      const { items, after } = await main.listing(listing, page)
      return { items: items.map(({ pk }) => pk.slice(channelKey('').pk.length)), after }
    },

    async list(accountId, { after, limit }) {
      const keys = await main.listing(listing, { prefix: listingPrefix(accountId), after, limit })
      const items = await main.getMany(keys.items)
      return { items: items.flatMap(item => (item ? readable(item) : [])), after: keys.after }
    },
  }
}

/** A channel with something to announce is looked at by `schedule` at once; one that is to be woken, at its time. */
function dueOf({ id, unannounced, wakeAt }: Pick<Channel, 'id' | 'unannounced' | 'wakeAt'>) {
  const at = unannounced.length > 0 ? '0' : wakeAt
  return at === null ? {} : { duePk: channelDuePartition, dueSk: `${at}#${id}` }
}

export const channelDuePartition = 'DUE#CHANNELS'

/** What an app sees. Identity, grant and bookkeeping stay inside. */
export const channelDocumentSchema = channelSchema
  .omit({
    identity: true,
    clientId: true,
    grantId: true,
    folderPaths: true,
    namedAs: true,
    unannounced: true,
    imapTrouble: true,
    smtpTrouble: true,
    tried: true,
    lastActiveAt: true,
    isOverdueTold: true,
    reminders: true,
    wakeAt: true,
    revision: true,
  })
  .extend({
    connection: connectionSchema,
    missingFolders: z
      .array(z.string())
      .describe(
        'Of `folders`, those the mailbox did not have when it was last looked for them, at most an hour ago.',
      ),
    folderFault: faultSchema
      .nullable()
      .describe('Why `missingFolders` are not read, and who can mend it; null where there are none.'),
    foldersLookedAt: z
      .string()
      .nullable()
      .describe(
        'When the mailbox was last asked for them; null while that is still to come, and where nothing but INBOX is read.',
      ),
    isOverdue: z.boolean().describe('Whether nothing was fetched for long, and `channel.overdue` was told.'),
  })

export function presentChannel(channel: Channel): z.output<typeof channelDocumentSchema> {
  const connection = connectionOf(channel)
  const { folders, folderPaths } = channel
  const missingFolders = folders.filter(folder => folderPaths[folder]?.path === null)
  return channelDocumentSchema.parse({
    ...channel,
    connection,
    missingFolders,
    folderFault: folderFault(missingFolders),
    foldersLookedAt: foldersLookedAt(channel),
    isOverdue: channel.isOverdueTold,
  })
}

/** INBOX is where it is (RFC 3501 5.1), and never asked for. */
export function isInbox(folder: string): boolean {
  return folder.toUpperCase() === 'INBOX'
}

function folderFault(missingFolders: string[]): Fault | null {
  if (missingFolders.length === 0) return null
  return describeFault(new PostroomError('folder_missing', { evidence: missingFolders.join(', ') }))
}

function foldersLookedAt({ folders, folderPaths }: Channel): string | null {
  const times = folders
    .filter(folder => !isInbox(folder))
    .map(folder => folderPaths[folder]?.lookedAt ?? null)
  return times.includes(null) ? null : (times.toSorted()[0] ?? null)
}

const aliasLimit = 50
/** Each costs a command in every poll, and a cursor to be read. */
const folderLimit = 10

export const foldersSchema = z
  .array(
    z
      .string()
      .min(1, { message: 'must not be empty' })
      .max(200, { message: 'must be at most 200 characters' })
      .regex(/^\P{Cc}*$/u, { message: 'must not hold control characters' }),
  )
  .min(1, { message: 'must have at least one entry' })
  .max(folderLimit, { message: `must have at most ${folderLimit} entries` })
  .refine(folders => new Set(folders).size === folders.length, { message: 'must name no folder twice' })
  .describe(
    `Folders that are read, in this order: INBOX, whole names as a mail program shows them, or roles, which fit every mailbox in every language: ${folderRoles.join(', ')}. A mail that lies in several is one message.`,
  )

/** What an app may set. */
export const channelSettingsSchema = z.strictObject({
  displayName: z
    .string()
    .min(1, { message: 'must not be empty' })
    .max(200, { message: 'must be at most 200 characters' })
    .regex(/^\P{Cc}*$/u, { message: 'must not hold control characters' })
    .nullable()
    .describe('The name in From. Null sends the bare address.')
    .optional(),
  aliases: z
    .array(addressSchema)
    .max(aliasLimit, { message: `must have at most ${aliasLimit} entries` })
    .describe('Further addresses of the mailbox that a message may have in From; replaces those set before.')
    .optional(),
  ownerNotice: z
    .strictObject({
      from: z
        .string()
        .max(idLengthLimit)
        .describe('Another channel of the same account, which the mail is sent from.'),
      to: addressSchema.nullable().default(null).describe('Null for the mailbox’s own address.'),
    })
    .nullable()
    .describe(
      'Mails the owner, with a link to reconnect, when the channel must be reconnected, and with each reminder. Null for no mail.',
    )
    .optional(),
  folders: foldersSchema.optional(),
})
