/** How long a channel rests after a failure: longer each time, spread by chance, and never shorter than it was asked to. */

import type { PostroomError } from './faults.ts'

/** Where a fault's row says nothing else. */
const usual = { fromMs: 5_000, toMs: 15 * 60_000 }
/** Nobody's `Retry-After` keeps a mailbox away for longer. */
const longestMs = 24 * 3600_000
/** Of the wait that was asked for, so that all who were asked do not come back at once. */
const jitter = 0.05

/**
 * Growth with full jitter: after n failures a random wait between `fromMs` and `fromMs` × 2ⁿ, at most `toMs`.
 * Whoever says how long to wait is not kept waiting much longer by growth: the mailbox would be away for hours after.
 * @param failures in a row, this one included
 * @param random as Math.random
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 */
export function backOffMs(error: PostroomError, failures: number, random: () => number): number {
  const { fromMs, toMs } = error.row.backOff ?? usual
  const { retryAfterMs } = error
  const longestOwnMs = retryAfterMs === undefined ? toMs : Math.min(toMs, Math.max(fromMs, 2 * retryAfterMs))
  const ceilingMs = Math.min(longestOwnMs, fromMs * 2 ** Math.min(failures, 30))
  const ownMs = fromMs + random() * Math.max(0, ceilingMs - fromMs)
  const askedMs = (retryAfterMs ?? 0) * (1 + jitter * random())
  return Math.ceil(Math.min(longestMs, Math.max(ownMs, askedMs)))
}
