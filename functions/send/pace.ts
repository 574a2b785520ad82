/** How fast one mailbox may send: what its provider allows a minute, halved when it complains, and won back with time. */

import { z } from 'zod'

const paceSchema = z.object({
  /** What was still too much, at `slowedAtMs`; absent until a provider complains. */
  slowedTo: z.number().nullable(),
  slowedAtMs: z.number(),
  /** Second and number of sends in it, oldest first; no more than the last minute's. */
  sends: z.array(z.tuple([z.int(), z.int()])),
})

type StoredPace = z.infer<typeof paceSchema>

export interface Pace {
  /** How long until the next mail may leave; 0 if now. */
  waitMs(perMinute: number): number
  /** A mail is about to leave. */
  count(): void
  /** The provider says it was too much. */
  slowDown(perMinute: number): void
  /** To be kept until the next drain. */
  stored(): StoredPace
}

const secondMs = 1_000
const windowMs = 60_000
/** A mailbox that was slowed to a crawl is back at its provider's limit after this long without complaints. */
const recoveryMs = 60 * 60_000

/** @param note what an earlier drain stored, if there was one */
export function openPace(note: unknown, now: () => number): Pace {
  const { data: stored = { slowedTo: null, slowedAtMs: 0, sends: [] } } = paceSchema.safeParse(note)
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
      if (last?.[0] === second) last[1] += 1
      else sends = [...sends, [second, 1]]
    },

    slowDown(perMinute) {
      slowedTo = Math.max(1, Math.floor(allowed(perMinute) / 2))
      slowedAtMs = now()
    },

    stored: () => ({ slowedTo, slowedAtMs, sends }),
  }
}
