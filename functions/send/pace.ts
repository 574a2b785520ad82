/** How fast one mailbox may send: what its provider allows a minute, halved when it complains, and won back with time. */

import * as v from 'valibot'
import { integer } from '../channel/single-values.ts'

export const paceSchema = v.object({
  /** What was still too much, at `slowedAtMs`; absent until a provider complains. */
  slowedTo: v.nullable(v.number()),
  slowedAtMs: v.number(),
  /** Second and number of sends in it, oldest first; no more than the last minute's. */
  sends: v.array(v.tuple([integer, integer])),
})

type StoredPace = v.InferOutput<typeof paceSchema>

interface Pace {
  /** How long until the next mail may leave; 0 if now. */
  waitMs(perMinute: number): number
  /** A mail is about to leave. */
  count(): void
  /** The provider says it was too much. */
  slowDown(perMinute: number): void
  /** To be kept for the next mail. */
  stored(): StoredPace
}

const secondMs = 1_000
const windowMs = 60_000
/** A mailbox that was slowed to a crawl is back at its provider's limit after this long without complaints. */
const recoveryMs = 60 * 60_000

const unused: StoredPace = { slowedTo: null, slowedAtMs: 0, sends: [] }

/** @param stored as it was left, which stays as it is */
export function openPace(stored: StoredPace = unused, now: () => number): Pace {
  let { slowedTo, slowedAtMs, sends } = stored

  /** A second's sends count until the last of them is surely a minute old. */
  const leavesWindowAt = (second: number) => (second + 1) * secondMs + windowMs

  function allowed(perMinute: number): number {
    if (slowedTo === null) return perMinute
    const wonBack = (perMinute * (now() - slowedAtMs)) / recoveryMs
    return Math.max(1, Math.min(perMinute, Math.floor(slowedTo + wonBack)))
  }

  return {
    waitMs(perMinute) {
      sends = sends.filter(([second]) => leavesWindowAt(second) > now())
      let open = allowed(perMinute) - sends.reduce((sum, [, count]) => sum + count, 0)
      if (open > 0) return 0
      for (const [second, count] of sends) {
        open += count
        if (open > 0) return leavesWindowAt(second) - now()
      }
      return windowMs
    },

    count() {
      const second = Math.floor(now() / secondMs)
      const last = sends.at(-1)
      sends = last?.[0] === second ? [...sends.slice(0, -1), [second, last[1] + 1]] : [...sends, [second, 1]]
    },

    slowDown(perMinute) {
      slowedTo = Math.max(1, Math.floor(allowed(perMinute) / 2))
      slowedAtMs = now()
    },

    stored: () => ({ slowedTo, slowedAtMs, sends }),
  }
}
