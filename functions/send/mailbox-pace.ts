/**
 * What all channels of one mailbox share: its provider counts mails and connections by who signs in, whatever they are
 * sent as. A delegate's own mailbox and the shared one, or one mailbox connected by two accounts, are such channels.
 * One item per login; each mail's leave is one conditional write to it, before the mail leaves.
 */

import * as v from 'valibot'
import type { Channel } from '../channel/channels.ts'
import { randomId } from '../channel/identifiers.ts'
import type { ProviderEntry } from '../channel/provider.ts'
import { check } from '../channel/schema-check.ts'
import { type Key, readItem, type Table } from '../channel/table.ts'
import { keyNames } from '../channel/table-names.ts'
import { openPace, paceSchema } from './pace.ts'

const storedSchema = v.object({
  /** Another one with every write: whoever writes must have seen the last. */
  revision: v.string(),
  pace: paceSchema,
  /** Until when a channel's drain may hold a connection. A drain that is done gives it back earlier. */
  connections: v.record(v.string(), v.number()),
})

type Stored = v.InferOutput<typeof storedSchema>

export interface MailboxPace {
  /**
   * Asks leave for one mail, over one connection of this channel.
   * @returns 0 if it may leave now, else how long to wait: without end where other channels have all connections
   */
  take(): Promise<number>
  /** The provider says it was too much. */
  slowDown(): Promise<void>
  /** Gives the connection back, if this drain has taken one. */
  release(): Promise<void>
  /** For the next drain: with it, it need not read. */
  seen(): unknown
}

/** So many channels at once as have never the same login; whoever loses as often tries again a moment later. */
const tries = 20
const momentMs = 1_000
/** What was learned of the pace counts for an hour (pace.ts). */
const keptMs = 24 * 3600_000

export const paceKey = ({ provider, login }: Pick<Channel, 'provider' | 'login'>): Key => ({
  pk: `MAILBOX#${provider}#${login.smtp.toLowerCase()}`,
  sk: 'SEND_PACE',
})

/** @param options.untilMs when this drain is over at the latest @param options.note what an earlier drain has seen */
export function openMailboxPace(
  channel: Channel,
  options: { main: Table; limits: ProviderEntry['limits']; untilMs: number; note: unknown; now(): number },
): MailboxPace {
  const { main, limits, untilMs, now } = options
  const key = paceKey(channel)
  let seen: Stored | undefined = check(storedSchema, options.note).data

  /** @returns whether it was written; if not, somebody else has written, and that is seen then */
  async function write(next: Omit<Stored, 'revision'>): Promise<boolean> {
    const stored: Stored = { ...next, revision: randomId('pr') }
    const ttl = { [keyNames.expiresAtSeconds]: Math.ceil((now() + keptMs) / 1000) }
    const unchanged = seen ? { equals: { revision: seen.revision } } : { exists: false }
    if (await main.put({ ...key, ...stored, ...ttl }, unchanged)) {
      seen = stored
      return true
    }
    await look()
    return false
  }

  async function look(): Promise<void> {
    const item = await main.get(key)
    seen = item && readItem(storedSchema, item)
  }

  const others = () =>
    Object.entries(seen?.connections ?? {}).filter(([id, until]) => id !== channel.id && until > now())
  const isFull = () => others().length >= limits.smtpConnections
  const withOwn = () => Object.fromEntries([...others(), [channel.id, untilMs]])

  return {
    async take() {
      for (let left = tries; left > 0; left--) {
        // Since it was seen, one may have come free.
        if (isFull()) await look()
        if (isFull()) return Number.POSITIVE_INFINITY
        const pace = openPace(seen?.pace, now)
        const waitMs = pace.waitMs(limits.messagesPerMinute)
        if (waitMs > 0) return waitMs
        pace.count()
        if (await write({ pace: pace.stored(), connections: withOwn() })) return 0
      }
      return momentMs
    },

    async slowDown() {
      for (let left = tries; left > 0; left--) {
        const pace = openPace(seen?.pace, now)
        pace.slowDown(limits.messagesPerMinute)
        if (await write({ pace: pace.stored(), connections: withOwn() })) return
      }
    },

    async release() {
      for (let left = tries; left > 0 && seen?.connections[channel.id] === untilMs; left--) {
        if (await write({ pace: seen.pace, connections: Object.fromEntries(others()) })) return
      }
    },

    seen: () => seen,
  }
}
