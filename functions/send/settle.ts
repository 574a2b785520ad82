/** What becomes of a message: each end and each wait is one conditional write, then its event, then its place in the outbox. */

import type { Channel } from '../channel/channels.ts'
import { presentForEvent } from '../channel/event-message.ts'
import type { Events, EventType } from '../channel/events.ts'
import { describeFault, PostroomError } from '../channel/faults.ts'
import type { Lease } from '../channel/lease.ts'
import { log } from '../channel/log.ts'
import type { MailStore } from '../channel/mail-store.ts'
import type { Messages, OutboundMessage } from '../channel/messages.ts'
import type { Outbox, OutboxRow } from '../channel/outbox.ts'
import { retryWaitMs } from './retry-waits.ts'

export interface DeliveryServices {
  messages: Messages
  outbox: Outbox
  events: Events
  mail: MailStore
  now(): number
}

export interface Place {
  channel: Channel
  lease: Pick<Lease, 'epoch'>
  services: DeliveryServices
}

/**
 * Fenced: a drain that has lost its lease, or has seen the message as it is no longer, moves nothing.
 * @returns undefined if somebody else has moved it
 */
export function move(
  message: OutboundMessage,
  change: Partial<OutboundMessage>,
  { services, lease }: Place,
): Promise<OutboundMessage | undefined> {
  return services.messages.change(
    message.id,
    { ...change, epoch: lease.epoch },
    { equals: { state: message.state, attempt: message.attempt }, atMost: { epoch: lease.epoch } },
  )
}

/** Moves a message to its end, tells it, and takes it off the outbox. */
export async function finish(
  message: OutboundMessage,
  row: OutboxRow,
  { change, ...place }: Place & { change: Partial<OutboundMessage> },
): Promise<void> {
  const finished = await move(message, change, place)
  if (finished) await settle(finished, row, { ...place, isFirst: true })
}

export function failed(error: PostroomError): Partial<OutboundMessage> {
  return { state: 'failed', fault: describeFault(error) }
}

const eventOf: Partial<Record<OutboundMessage['state'], EventType>> = {
  sent: 'message.sent',
  failed: 'message.failed',
  expired: 'message.failed',
  cancelled: 'message.failed',
  uncertain: 'message.uncertain',
  parked: 'message.parked',
}

/**
 * Tells how a message ended, then takes it off the outbox or leaves it there for a look into Sent. Repeated after a
 * crash, it tells once.
 */
export async function settle(
  message: OutboundMessage,
  row: OutboxRow,
  { isFirst = false, ...place }: Place & { isFirst?: boolean },
): Promise<void> {
  const { state, attempt, expiresAt, sentLook } = message
  await tell(message, { ...place, occasion: `${state} ${attempt} ${expiresAt}`, isFirst })
  if (sentLook) await place.services.outbox.postpone(row, sentLook.at)
  else await place.services.outbox.clear(row)
}

/** @param options.occasion tells this from an earlier event of the same type about the same message */
async function tell(
  message: OutboundMessage,
  { occasion, isFirst, channel, services }: Place & { occasion: string; isFirst: boolean },
): Promise<void> {
  const type = eventOf[message.state]
  if (!type) return
  const content = await services.messages.readContent(message.contentKey)
  const event = {
    type,
    accountId: channel.accountId,
    channelId: channel.id,
    occurredAt: message.sentAt ?? new Date(services.now()).toISOString(),
    subject: `${message.id} ${occasion}`,
    data: { message: presentForEvent(message, content) },
  }
  await services.events.announce(event, { isFirst })
}

export async function expire(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const fault = message.fault ?? describeFault(new PostroomError('message_expired'))
  await finish(message, row, { change: { state: 'expired', fault }, ...place })
}

/** The app has disconnected the channel: what was still queued ends, and says so. */
export async function cancel(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const fault = describeFault(new PostroomError('channel_disconnected'))
  await finish(message, row, { change: { state: 'cancelled', fault }, ...place })
}

/** Keeps a message until its channel is well again; told once per stay, before the row is put off: a crash between repeats both. */
export async function park(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const { services, channel } = place
  if (message.state === 'parked' && row.waitsForChannel && row.dueAt >= message.expiresAt) return
  const change = { state: 'parked' as const, fault: channel.auth.fault }
  const parked = message.state === 'parked' ? message : await move(message, change, place)
  if (!parked) return
  await tell(parked, { ...place, occasion: channel.auth.since, isFirst: false })
  await services.outbox.postpone(row, message.expiresAt, { waitsForChannel: true })
}

/** The server refused this mail for now. It is tried again at a pace of its own, whatever becomes of the others. */
export async function retryLater(
  message: OutboundMessage,
  row: OutboxRow,
  { error, attempt, ...place }: Place & { error: PostroomError; attempt: number },
): Promise<void> {
  const waitMs = error.retryAfterMs ?? retryWaitMs(attempt, Math.random())
  const nextAttemptAt = new Date(place.services.now() + waitMs).toISOString()
  const change = { state: 'retrying' as const, fault: describeFault(error), nextAttemptAt, attempt }
  if (!(await move(message, change, place))) return
  noteWait(message, { error, until: nextAttemptAt })
  await putOff(message, row, { until: nextAttemptAt, ...place })
}

function noteWait(
  { id, channelId }: OutboundMessage,
  { error, until }: { error: PostroomError; until: string },
) {
  log({ event: 'message_waits', channelId, messageId: id, until, code: error.code, evidence: error.evidence })
}

/** Nothing is wrong with this mail: it waits for its channel to be well again, and that is no attempt of its own. */
export async function waitForChannel(
  message: OutboundMessage,
  row: OutboxRow,
  { error, until, ...place }: Place & { error: PostroomError; until: string },
): Promise<void> {
  const isToldSo = message.state === 'retrying' && message.fault?.code === error.code
  const change = { state: 'retrying' as const, fault: describeFault(error), nextAttemptAt: null }
  if (!isToldSo && !(await move(message, change, place))) return
  if (!isToldSo) noteWait(message, { error, until })
  await hold(message, row, { until, ...place })
}

/** Leaves the message as it is until its channel is well again, which is looked after then. */
export async function hold(
  message: OutboundMessage,
  row: OutboxRow,
  { until, services }: Pick<Place, 'services'> & { until: string },
): Promise<void> {
  await services.outbox.postpone(row, earlier(until, message.expiresAt), { waitsForChannel: true })
}

/** Leaves the message as it is until its own time has come. */
export async function putOff(
  message: OutboundMessage,
  row: OutboxRow,
  { until, services }: Pick<Place, 'services'> & { until: string },
): Promise<void> {
  await services.outbox.postpone(row, earlier(until, message.expiresAt))
}

function earlier(a: string, b: string): string {
  return a < b ? a : b
}
