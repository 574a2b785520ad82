/** How often a mailbox is polled: sooner after traffic, later when it is quiet, and no sooner than a back-off allows. */

import type { Channel } from './channels.ts'
import { pollIntervals } from './slots.ts'

const minuteMs = 60_000
/** Within this time of a mail or of somebody's wish, the next mail is likely: a conversation is going on. */
const hotMs = 30 * minuteMs
const coldMs = 24 * 60 * minuteMs
const frozenMs = 7 * coldMs

type Active = Pick<Channel, 'connectedAt' | 'lastFetchedAt' | 'lastActiveAt'>

/** Before there was a time of its own for this, `lastFetchedAt` was moved by nothing else. */
export function lastActiveAt({ lastActiveAt, lastFetchedAt, connectedAt }: Active): string {
  return lastActiveAt ?? lastFetchedAt ?? connectedAt
}

export interface Activity {
  channel: Active &
    Pick<Channel, 'auth' | 'disconnectedAt' | 'nextProbeAt'> & { imapTrouble: { until: string } | null }
  /** What the operator wants for a mailbox with some traffic. */
  baseMinutes: number
  /** Mail is waiting already. */
  hasMore: boolean
  now: number
}

/** Pure: one step faster than the base after traffic, one or two slower in silence. */
export function pollInterval({ channel, baseMinutes, hasMore, now }: Activity): number {
  const { auth, imapTrouble, disconnectedAt, nextProbeAt } = channel
  // Only a person can mend it; the slot is kept so that nothing has to put the mailbox back into one.
  if (disconnectedAt !== null || auth.state === 'reconnect_required' || auth.state === 'app_fault') return 60
  if (nextProbeAt !== null && auth.state !== 'connected') return 15

  const quietMs = now - Date.parse(lastActiveAt(channel))
  const steps = hasMore || quietMs < hotMs ? -1 : quietMs < coldMs ? 0 : quietMs < frozenMs ? 1 : 2
  const usual = at(pollIntervals.findIndex(minutes => minutes >= baseMinutes) + steps)
  if (imapTrouble === null) return usual

  // While the provider wants peace, polling would only find that it must not.
  const leftMinutes = (Date.parse(imapTrouble.until) - now) / minuteMs
  const longest = pollIntervals.filter(minutes => minutes <= leftMinutes).at(-1) ?? usual
  return Math.max(longest, usual)
}

function at(index: number): number {
  return pollIntervals[Math.max(0, Math.min(pollIntervals.length - 1, index))] ?? 60
}
