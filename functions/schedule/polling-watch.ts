/** Tells when polling itself stands still: batches are queued, and nobody takes them. */

import { mayUse } from '../channel/access.ts'
import type { Channels } from '../channel/channels.ts'
import { type Events, operatorAccount } from '../channel/events.ts'
import type { Health } from '../channel/health.ts'
import { log } from '../channel/log.ts'
import { type PollMarks, pollGraceMs } from '../channel/poll-marks.ts'
import type { Slot } from '../channel/slots.ts'

export interface PollingWatchServices {
  pollMarks: PollMarks
  channels: Channels
  health: Health
  events: Events
  now(): number
}

/** So many channels are told of in one minute; the others when their turn comes again. */
const toldAtOnce = 100

/**
 * @param slots the mailboxes whose turn it is
 * @param isBack whether `schedule` itself was away: then everything is late, and gets its time first
 */
export async function watchPolling(
  { slots, isBack }: { slots: Slot[]; isBack: boolean },
  services: PollingWatchServices,
): Promise<void> {
  const { pollMarks, now } = services
  if (slots.length === 0) return
  const waiting = await pollMarks.waiting()
  for (const provider of new Set(slots.map(slot => slot.provider))) {
    const wait = waiting.get(provider)
    // Once: while SQS takes no batches, every minute counts as missed.
    if (!wait || (isBack && !wait.isAwaited)) {
      await pollMarks.await(provider)
      continue
    }
    const { sinceMs } = wait
    const late = slots.filter(slot => slot.provider === provider && isLate(slot, sinceMs, now()))
    if (late.length > 0) await tellLate(late, { provider, sinceMs }, services)
  }
}

function isLate({ intervalMinutes }: Slot, sinceMs: number, nowMs: number): boolean {
  return nowMs - sinceMs > intervalMinutes * 60_000 + pollGraceMs
}

async function tellLate(
  late: Slot[],
  { provider, sinceMs }: { provider: string; sinceMs: number },
  { channels, health, events, now }: PollingWatchServices,
): Promise<void> {
  const found = await channels.findMany(late.slice(0, toldAtOnce).map(({ channelId }) => channelId))
  const intervals = new Map(late.map(slot => [slot.channelId, slot]))
  // One that was connected meanwhile waits for as long as it is there.
  const overdue = found.filter(channel => {
    const slot = intervals.get(channel.id)
    return slot && mayUse(channel, 'imap') && isLate(slot, Date.parse(channel.connectedAt), now())
  })
  if (overdue.length === 0) return
  const since = new Date(sinceMs).toISOString()
  log({ event: 'polling_stalled', provider, since })
  await events.announce({
    type: 'polling.stalled',
    accountId: operatorAccount,
    channelId: null,
    occurredAt: new Date(now()).toISOString(),
    subject: `${provider} ${since}`,
    data: { provider, since },
  })
  for (const channel of overdue) await health.overlooked(channel)
}
