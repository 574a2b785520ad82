/** One batch of mailboxes, all at the same time: one that hangs or fails delays no other. */

import type * as v from 'valibot'
import { isOurs } from '../channel/app-faults.ts'
import type { Channel } from '../channel/channels.ts'
import { asPostroomError } from '../channel/faults.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Metrics } from '../channel/metrics.ts'
import { lastActiveAt, pollInterval } from '../channel/poll-interval.ts'
import type { PollMarks } from '../channel/poll-marks.ts'
import type { pollBatchSchema } from '../channel/queue-bodies.ts'
import type { Slots } from '../channel/slots.ts'
import { type MailboxServices, pollMailbox } from './mailbox.ts'

export interface BatchServices extends MailboxServices {
  slots: Slots
  pollMarks: PollMarks
  metrics: Metrics
  /** What the operator wants for a mailbox with some traffic. */
  pollIntervalMinutes: number
}

export interface BatchWork {
  services: BatchServices
  /** When the invocation must be at its end. */
  deadlineMs: number
}

/** As many as `schedule` puts into a batch; an idle poll is mostly waiting. */
const concurrency = 50
/** No mailbox begins more mails (groups.ts) after this long; what is left comes with its next turn. */
const mailboxMs = 60_000

type Batch = v.InferOutput<typeof pollBatchSchema>

export async function fetchBatch(batch: Batch, work: BatchWork): Promise<void> {
  const intervals = new Map(
    batch.channelIds
      .map((id, index) => [id, batch.intervals?.[index]] as const)
      .filter(([, interval]) => !isOvertaken(batch.dueAtMs, interval, work.services.now())),
  )
  const waiting = await work.services.channels.findMany([...intervals.keys()])
  const worker = async () => {
    for (let channel = waiting.shift(); channel; channel = waiting.shift()) {
      await inTime(pollOne(channel, { ...work, batch, interval: intervals.get(channel.id) }), channel, work)
    }
  }
  const providers = new Set(waiting.map(({ provider }) => provider))
  await Promise.all(Array.from({ length: Math.min(concurrency, waiting.length) }, worker))
  await Promise.all([...providers].map(provider => work.services.pollMarks.polled(provider))).catch(error =>
    log({ event: 'poll_not_marked', ...errorForLog(error) }),
  )
}

/**
 * A mailbox whose next turn has come while this batch waited is polled by that one: what piles up while a provider hangs is
 * gone at once when it answers again, instead of polling each mailbox as often as it missed its turn.
 */
function isOvertaken(dueAtMs: number | undefined, interval: number | undefined, nowMs: number): boolean {
  return dueAtMs !== undefined && interval !== undefined && nowMs - dueAtMs >= interval * 60_000
}

interface OneWork extends BatchWork {
  batch: Batch
  /** The slot it came from; undefined where somebody asked for the poll. */
  interval: number | undefined
}

async function pollOne(channel: Channel, { services, deadlineMs, batch, interval }: OneWork): Promise<void> {
  const { now } = services
  const poll = {
    services,
    deadlineMs: Math.min(deadlineMs, now() + mailboxMs),
    isRequested: batch.isRequested ?? false,
  }
  try {
    const { hasTaken, hasMore } = await pollMailbox(channel, poll)
    services.metrics.add('PollsDone')
    const activeAt = hasTaken ? new Date(now()).toISOString() : lastActiveAt(channel)
    await moveSlot({ ...channel, lastActiveAt: activeAt }, { services, interval, hasMore })
  } catch (error) {
    services.metrics.add(isOurs(asPostroomError(error)) ? 'InternalFaults' : 'PollsFailed')
    log({ event: 'fetch_failed', channelId: channel.id, ...errorForLog(error) })
    // What the failure means stands on the channel by now.
    const latest = await services.channels.find(channel.id).catch(() => undefined)
    await moveSlot(latest ?? channel, { services, interval, hasMore: false })
  }
}

/** Only a mailbox whose interval changes costs a write. A failure is mended by the next poll, which finds the same. */
async function moveSlot(
  channel: Channel,
  {
    services,
    interval,
    hasMore,
  }: { services: BatchServices; interval: number | undefined; hasMore: boolean },
): Promise<void> {
  const { slots, pollIntervalMinutes, now } = services
  const wanted = pollInterval({ channel, baseMinutes: pollIntervalMinutes, hasMore, now: now() })
  if (wanted === interval || channel.disconnectedAt !== null) return
  // Nobody's slot brought it: whatever slot it is in, only a sooner one is worth a write.
  if (interval === undefined && wanted >= pollIntervalMinutes) return
  await slots
    .put({ channelId: channel.id, provider: channel.provider, intervalMinutes: wanted })
    .catch(error => log({ event: 'slot_not_moved', channelId: channel.id, ...errorForLog(error) }))
}

/** A poll that is still not over when the invocation must end is left behind; all it did is safe to repeat. */
async function inTime(
  poll: Promise<void>,
  channel: Channel,
  { services, deadlineMs }: BatchWork,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const end = new Promise<void>(resolve => {
    timer = setTimeout(
      () => {
        services.metrics.add('PollsFailed')
        log({ event: 'poll_left_behind', channelId: channel.id })
        resolve()
      },
      Math.max(0, deadlineMs - services.now()),
    )
  })
  await Promise.race([poll, end])
  clearTimeout(timer)
}
