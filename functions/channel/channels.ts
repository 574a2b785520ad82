/** Channels: one connected mailbox of one account. What is stored of it, and what an app sees of it. */

import * as v from 'valibot'
import { connectionOf, connectionSchema, faultSchema, healthFields } from './channel-health.ts'
import type { Condition } from './expressions.ts'
import { describeFault, type Fault, PostroomError } from './faults.ts'
import { idLengthLimit } from './identifiers.ts'
import { errorForLog, log } from './log.ts'
import { parse } from './schema-check.ts'
import { integer } from './single-values.ts'
import { type Item, type PageOf, readItem, type Table } from './table.ts'

/** What is read of a mailbox until the app wants more. */
export const defaultFolders = ['INBOX']

const channelSchema = v.object({
  id: v.string(),
  accountId: v.string(),
  provider: v.string(),
  /** The provider's key claims (tid and oid, or iss and sub). */
  identity: v.record(v.string(), v.string()),
  /** The mailbox's address: display and From. */
  email: v.string(),
  displayName: v.nullable(v.string()),
  sharedMailbox: v.nullable(v.string()),
  /** Further addresses that may stand in From, which the app vouches for; the provider has the last word. */
  aliases: v.optional(v.array(v.string()), []),
  /** How its owner is written to when it must be reconnected; null for not at all (send/owner-notice.ts). */
  ownerNotice: v.optional(
    v.nullable(
      v.object({
        from: v.pipe(
          v.string(),
          v.description('The channel of the same account that the mail is sent from.'),
        ),
        to: v.pipe(v.nullable(v.string()), v.description('Null for the mailbox’s own address.')),
      }),
    ),
    null,
  ),
  /** What is read, each by its name or its role (channelSettingsSchema). */
  folders: v.optional(v.array(v.string()), defaultFolders),
  /** Where each of them but INBOX lies, as the server spells it; null: there was no such folder. */
  folderPaths: v.optional(
    v.record(v.string(), v.object({ path: v.nullable(v.string()), lookedAt: v.string() })),
    {},
  ),
  /** XOAUTH2 user name per protocol. */
  login: v.object({ imap: v.string(), smtp: v.string() }),
  /** Another name that the provider gave the owner since, and that was looked into (renamed-login.ts). */
  namedAs: v.optional(v.string()),
  /** The OAuth app the grant was given to: another one cannot use it. */
  clientId: v.string(),
  ...healthFields,
  /** While something is blocked: when it is tried again. */
  nextProbeAt: v.nullable(v.string()),
  grantId: v.string(),
  connectedAt: v.string(),
  /** Mail that arrived before is not reported. */
  fetchSince: v.string(),
  lastFetchedAt: v.pipe(
    v.nullable(v.string()),
    v.description(
      'When the mailbox was last read, whether or not there was mail. In a mailbox where nothing arrives it may lag by three hours, and longer only if nothing could be read; `connection` and `isOverdue` tell that sooner.',
    ),
  ),
  /** When mail last came, or somebody asked for a poll; absent until then (poll-interval.ts). */
  lastActiveAt: v.optional(v.string()),
  /** Set once the app disconnected it; nothing is sent or fetched any more. */
  disconnectedAt: v.nullable(v.string()),
  /** Events that were decided together with the last change and are not announced yet. */
  unannounced: v.array(v.object({ type: v.string(), at: v.string(), reminder: v.optional(integer) })),
})

export type Channel = v.InferOutput<typeof channelSchema>
export type ChannelChange = Partial<Omit<Channel, 'id' | 'accountId' | 'provider' | 'identity'>>

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
export const channelDocumentSchema = v.object({
  ...v.omit(channelSchema, [
    'identity',
    'clientId',
    'grantId',
    'folderPaths',
    'namedAs',
    'unannounced',
    'imapTrouble',
    'smtpTrouble',
    'tried',
    'lastActiveAt',
    'isOverdueTold',
    'reminders',
    'wakeAt',
    'revision',
  ]).entries,
  connection: connectionSchema,
  missingFolders: v.pipe(
    v.array(v.string()),
    v.description(
      'Of `folders`, those the mailbox did not have when it was last looked for them, at most an hour ago.',
    ),
  ),
  folderFault: v.pipe(
    v.nullable(faultSchema),
    v.description('Why `missingFolders` are not read, and who can mend it; null where there are none.'),
  ),
  foldersLookedAt: v.pipe(
    v.nullable(v.string()),
    v.description(
      'When the mailbox was last asked for them; null while that is still to come, and where nothing but INBOX is read.',
    ),
  ),
  isOverdue: v.pipe(
    v.boolean(),
    v.description('Whether nothing was fetched for long, and `channel.overdue` was told.'),
  ),
})

export function presentChannel(channel: Channel): v.InferOutput<typeof channelDocumentSchema> {
  const connection = connectionOf(channel)
  const { folders, folderPaths } = channel
  const missingFolders = folders.filter(folder => folderPaths[folder]?.path === null)
  return parse(channelDocumentSchema, {
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
  const times: (string | null)[] = folders
    .filter(folder => !isInbox(folder))
    .map(folder => folderPaths[folder]?.lookedAt ?? null)
  return times.includes(null) ? null : (times.toSorted()[0] ?? null)
}
