/**
 * Walks all channels, a page a minute and once a day at most, so that a grant nobody uses (reading blocked, nothing to
 * send) does not end by disuse: 90 days at Microsoft, six months at Google. A million channels take a week.
 */

import * as v from 'valibot'
import type { Channels } from '../channel/channels.ts'
import { readItem, type Table } from '../channel/table.ts'

const pageSize = 100
const walkEveryMs = 24 * 3600_000

const key = { pk: 'SCHEDULE', sk: 'KEEP_ALIVE' }
const schema = v.object({
  /** When this walk began. */
  startedAtMs: v.number(),
  /** Where it goes on; null once it is through. */
  after: v.nullable(v.string()),
})

interface WalkedPage {
  channelIds: string[]
  /** A new walk begins with it. */
  isFirst: boolean
  startedAtMs: number
  after: string | null
}

export interface KeepAlive {
  /** @returns undefined while the day's walk is through */
  next(): Promise<WalkedPage | undefined>
  /** Called after the work: a crash before it means the page comes again. */
  done(page: WalkedPage): Promise<void>
}

export function openKeepAlive(services: { main: Table; channels: Channels; now(): number }): KeepAlive {
  const { main, channels, now } = services
  return {
    async next() {
      const item = await main.get(key)
      const walk = item && readItem(schema, item)
      const goesOn = walk !== undefined && walk.after !== null
      if (walk && !goesOn && now() - walk.startedAtMs < walkEveryMs) return undefined
      const { items, after } = await channels.ids({ after: walk?.after ?? undefined, limit: pageSize })
      return { channelIds: items, isFirst: !goesOn, startedAtMs: goesOn ? walk.startedAtMs : now(), after }
    },

    async done({ startedAtMs, after }) {
      await main.put({ ...key, startedAtMs, after })
    },
  }
}
