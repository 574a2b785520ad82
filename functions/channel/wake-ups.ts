/** When `schedule` looks at a channel by itself, and what is said then: a reminder to reconnect, or that nothing is fetched. */

import { mayUse } from './access.ts'
import type { Trouble } from './channel-health.ts'
import type { Channel, ChannelChange } from './channels.ts'
import type { Telling } from './tellings.ts'

/** Nothing fetched for this long since a poll first failed is told. */
export const overdueAfterMs = 30 * 60_000
/** After these many days of `reconnect_required` somebody is reminded. */
const remindAfterDays = [1, 3, 7]
const dayMs = 24 * 3600_000

/** A change of a channel, and what is told with it. */
export interface Move {
  change: ChannelChange
  tell: Telling[]
}

export function overdueAt(nowMs: number): string {
  return new Date(nowMs + overdueAfterMs).toISOString()
}

export function firstReminderAt(nowMs: number): string {
  return new Date(nowMs + (remindAfterDays[0] ?? 0) * dayMs).toISOString()
}

/** After a probe: a reminder that is still due, or the time to say that nothing is fetched. */
export function wakeAfterProbe(
  { auth: { state: was }, wakeAt }: Channel,
  { is, imapTrouble }: { is: Channel['auth']['state']; imapTrouble: Trouble | null },
  nowMs: number,
): string | null {
  if (was === is && was === 'reconnect_required') return wakeAt
  if (imapTrouble === null) return null
  return was === 'reconnect_required' ? overdueAt(nowMs) : wakeAt
}

/** What a channel whose time has come says, at most. */
export function saidWhenWoken(channel: Channel, nowMs: number): Move {
  const at = new Date(nowMs).toISOString()
  return channel.auth.state === 'reconnect_required' ? remind(channel, at) : sayOverdue(channel, at)
}

function remind(channel: Channel, at: string): Move {
  const reminder = channel.reminders + 1
  const next = remindAfterDays[reminder]
  const wakeAt = next ? new Date(Date.parse(channel.auth.since) + next * dayMs).toISOString() : null
  const isOver = channel.disconnectedAt !== null
  return {
    change: { reminders: reminder, wakeAt: isOver ? null : wakeAt },
    tell: isOver ? [] : [{ type: 'channel.reconnect_required', at, reminder }],
  }
}

function sayOverdue(channel: Channel, at: string): Move {
  const isOverdue = channel.imapTrouble !== null && mayUse(channel, 'imap')
  return {
    change: { wakeAt: null, isOverdueTold: isOverdue },
    tell: isOverdue ? [{ type: 'channel.overdue', at }] : [],
  }
}
