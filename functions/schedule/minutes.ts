/** Which minutes were dispatched: what was missed while nothing ran is caught up, up to an hour back. */

import * as v from 'valibot'
import { integer } from '../channel/single-values.ts'
import { readItem, type Table } from '../channel/table.ts'

const minuteMs = 60_000
/** The longest interval: older minutes would only poll the same mailboxes again. */
const catchUpMinutes = 60

const key = { pk: 'SCHEDULE', sk: 'LAST_MINUTE' }
const schema = v.object({ minute: integer })

export interface Minutes {
  /** @returns minutes since the epoch, oldest first; empty if this minute is dispatched already */
  due(): Promise<number[]>
  /** Called after the work: a crash before it means the minutes are dispatched again. */
  done(minutes: number[]): Promise<void>
}

export function openMinutes({ main, now }: { main: Table; now(): number }): Minutes {
  return {
    async due() {
      const current = Math.floor(now() / minuteMs)
      const item = await main.get(key)
      const last = item ? readItem(schema, item).minute : current - 1
      const first = Math.max(last + 1, current - catchUpMinutes + 1)
      return Array.from({ length: Math.max(0, current - first + 1) }, (_, index) => first + index)
    },

    async done(minutes) {
      const newest = minutes.at(-1)
      if (newest === undefined) return
      await main.update(key, { set: { minute: newest } }, { exists: undefined, atMost: { minute: newest } })
    },
  }
}
