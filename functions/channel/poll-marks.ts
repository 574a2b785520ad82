/**
 * When mailboxes were last polled at all, by provider: so that it shows when polling itself stands still, though an idle
 * poll leaves no trace of its own. One write in five minutes by each process that polls, whatever it polls.
 */

import * as v from 'valibot'
import { type Events, operatorAccount } from './events.ts'
import { readItem, type Table } from './table.ts'

/** How exact a mark is. */
const markEveryMs = 5 * 60_000
/** Beyond its interval, a mailbox's poll may come this late before somebody is told. */
export const pollGraceMs = 30 * 60_000

const partition = 'POLL_MARKS'
const markKey = (provider: string) => ({ pk: partition, sk: provider })

const markSchema = v.object({
  sk: v.string(),
  /** When the last batch was through; absent before the first. */
  polledAtMs: v.optional(v.number(), 0),
  /** When `schedule` came (back) to work: polls are waited for from then on. */
  awaitedFromMs: v.optional(v.number(), 0),
})

interface Wait {
  /** Epoch milliseconds. */
  sinceMs: number
  /** `await` was called, and no poll came since. */
  isAwaited: boolean
}

export interface PollMarks {
  /** A batch of this provider is through, however its polls ended. Tells the operator if that was long awaited. */
  polled(provider: string): Promise<void>
  /** From now on its polls are waited for. */
  await(provider: string): Promise<void>
  /** By provider: since when its mailboxes wait for a poll. */
  waiting(): Promise<Map<string, Wait>>
}

export function openPollMarks({
  main,
  events,
  now,
}: {
  main: Table
  events: Events
  now(): number
}): PollMarks {
  const written = new Map<string, number>()
  return {
    async polled(provider) {
      const atMs = now()
      if (atMs - (written.get(provider) ?? 0) < markEveryMs) return
      const item = await main.get(markKey(provider))
      const { polledAtMs } = item ? readItem(markSchema, item) : { polledAtMs: 0 }
      // The longest interval is an hour: whatever was waited for longer had stopped.
      if (polledAtMs > 0 && atMs - polledAtMs > 60 * 60_000 + pollGraceMs) {
        await events.announce({
          type: 'polling.resumed',
          accountId: operatorAccount,
          channelId: null,
          occurredAt: new Date(atMs).toISOString(),
          subject: `${provider} ${polledAtMs}`,
          data: { provider, since: new Date(polledAtMs).toISOString() },
        })
      }
      await main.update(markKey(provider), { set: { polledAtMs: atMs } }, { exists: undefined })
      written.set(provider, atMs)
    },

    async await(provider) {
      await main.update(markKey(provider), { set: { awaitedFromMs: now() } }, { exists: undefined })
    },

    async waiting() {
      const marks = (await main.partition(partition)).map(item => readItem(markSchema, item))
      return new Map(
        marks.map(({ sk, polledAtMs, awaitedFromMs }) => [
          sk,
          { sinceMs: Math.max(polledAtMs, awaitedFromMs), isAwaited: awaitedFromMs > polledAtMs },
        ]),
      )
    },
  }
}
