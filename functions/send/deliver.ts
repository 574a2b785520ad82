/** One message's way through its phases. Each phase is one conditional write, made before what it tells of happens. */

import { Readable } from 'node:stream'
import type { Channel } from '../channel/channels.ts'
import { presentForEvent } from '../channel/event-message.ts'
import type { Events, EventType } from '../channel/events.ts'
import { asPostroomError, describeFault, PostroomError } from '../channel/faults.ts'
import type { MailStore } from '../channel/mail-store.ts'
import type { Messages, OutboundMessage } from '../channel/messages.ts'
import type { Outbox, OutboxRow } from '../channel/outbox.ts'
import type { SmtpSession } from '../channel/smtp.ts'

export interface DeliveryServices {
  messages: Messages
  outbox: Outbox
  events: Events
  mail: MailStore
  now(): number
}

interface Place {
  channel: Channel
  services: DeliveryServices
}

/** Waits between attempts; the last one repeats until the message expires. */
const retryAfterMs = [1, 2, 5, 15, 60, 180].map(minutes => minutes * 60_000)
/** Attempts of many messages that failed together must not come back together. */
const jitter = 0.2

/**
 * @throws PostroomError if the session is broken or refused: the channel's trouble, not this message's
 */
export async function deliver(
  message: OutboundMessage,
  row: OutboxRow,
  { channel, session, services }: Place & { session: SmtpSession },
): Promise<void> {
  const attempt = message.attempt + 1
  // Fencing: whoever else believes to deliver this has another attempt number, and fails at its next write.
  const claimed = await services.messages.change(
    message.id,
    { state: 'sending', attempt, bodyStarted: false },
    { equals: { attempt: message.attempt, bodyStarted: false }, oneOf: { state: [message.state] } },
  )
  if (!claimed) return

  const { outcome, error } = await handOver(claimed, { session, services })
  if (outcome) {
    const finished = await transition(claimed, { ...outcome, bodyStarted: false }, services)
    await settle(finished, row, { channel, services })
  } else if (error) {
    await postpone(claimed, row, { error, until: null, services })
  }
  // "Try this one later" is the message's own trouble; the others need not wait for it.
  if (error && error.code !== 'smtp_temporary') throw error
}

interface HandOver {
  /** How the message ended; absent where it is to be tried again. */
  outcome?: Partial<OutboundMessage>
  /** What is wrong with the session, or with this attempt. */
  error?: PostroomError
}

async function handOver(
  message: OutboundMessage,
  { session, services }: { session: SmtpSession; services: DeliveryServices },
): Promise<HandOver> {
  const body = await services.mail.stream(message.rawKey)
  if (!body) return { outcome: failed(new PostroomError('message_bytes_missing')) }
  const recipients = [...message.to, ...message.cc, ...message.bcc].map(({ address }) => address)
  try {
    const accepted = await session.send(
      { from: message.from[0]?.address ?? '', to: [...new Set(recipients)], sizeBytes: message.sizeBytes },
      Readable.from(announced(body, message, services)),
    )
    const outcome: Partial<OutboundMessage> = {
      state: 'sent',
      fault: null,
      sentAt: new Date(services.now()).toISOString(),
      providerMessageId: accepted.providerMessageId,
      rejectedRecipients: accepted.rejected,
    }
    return { outcome }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action === 'reject') return { outcome: failed(error) }
    if (error.code !== 'outcome_unknown') return { error }
    // The connection is gone as well; the drain opens another for the rest.
    const gone = new PostroomError('smtp_unreachable', { cause: error, evidence: error.evidence })
    return { outcome: { state: 'uncertain', fault: describeFault(error) }, error: gone }
  }
}

function failed(error: PostroomError): Partial<OutboundMessage> {
  return { state: 'failed', fault: describeFault(error) }
}

/** Says that the body leaves, then lets it leave. Runs when the server has asked for it. */
async function* announced(body: Readable, message: OutboundMessage, { messages }: DeliveryServices) {
  const { attempt } = message
  const marked = await messages.change(
    message.id,
    { bodyStarted: true },
    { equals: { state: 'sending', attempt, bodyStarted: false } },
  )
  if (!marked) throw new PostroomError('internal', { evidence: 'another drain has taken over' })
  yield* body
}

/** @throws PostroomError `internal` if somebody else has moved the message */
async function transition(
  message: OutboundMessage,
  change: Partial<OutboundMessage>,
  { messages }: DeliveryServices,
): Promise<OutboundMessage> {
  const moved = await messages.change(message.id, change, {
    equals: { state: message.state, attempt: message.attempt },
  })
  if (!moved) throw new PostroomError('internal', { evidence: 'another drain has taken over' })
  return moved
}

const eventOf: Partial<Record<OutboundMessage['state'], EventType>> = {
  sent: 'message.sent',
  failed: 'message.failed',
  expired: 'message.failed',
  cancelled: 'message.failed',
  uncertain: 'message.uncertain',
  parked: 'message.parked',
}

/** Tells what became of a message that is done, then takes it off the outbox. Repeated after a crash, it tells once. */
export async function settle(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  await tell(message, String(message.attempt), place)
  await place.services.outbox.clear(row)
}

/** @param occasion tells this from an earlier event of the same type about the same message */
async function tell(message: OutboundMessage, occasion: string, { channel, services }: Place): Promise<void> {
  const type = eventOf[message.state]
  if (!type) return
  const content = await services.messages.readContent(message.contentKey)
  await services.events.announce({
    type,
    accountId: channel.accountId,
    channelId: channel.id,
    occurredAt: message.sentAt ?? new Date(services.now()).toISOString(),
    subject: `${message.id} ${occasion}`,
    data: { message: presentForEvent(message, content) },
  })
}

/** A drain died while the body was leaving. Never sent again blindly: it may have arrived. */
export async function settleUnfinished(
  message: OutboundMessage,
  row: OutboxRow,
  place: Place,
): Promise<void> {
  const fault = describeFault(new PostroomError('outcome_unknown'))
  const change = { state: 'uncertain' as const, fault, bodyStarted: false }
  await settle(await transition(message, change, place.services), row, place)
}

export async function expire(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const fault = message.fault ?? describeFault(new PostroomError('message_expired'))
  await settle(await transition(message, { state: 'expired', fault }, place.services), row, place)
}

/** The app has disconnected the channel: what was still queued ends, and says so. */
export async function cancel(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const fault = describeFault(new PostroomError('channel_disconnected'))
  await settle(await transition(message, { state: 'cancelled', fault }, place.services), row, place)
}

/** Keeps a message until its channel is well again; told once per stay. */
export async function park(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const { services, channel } = place
  if (message.state !== 'parked') {
    const parked = await transition(message, { state: 'parked', fault: channel.auth.fault }, services)
    await tell(parked, channel.auth.since, place)
  }
  await services.outbox.postpone(row, message.expiresAt)
}

/** The OAuth app is refused: the message waits until then, or until it is rung for because the app works again. */
export async function holdBack(
  message: OutboundMessage,
  row: OutboxRow,
  { error, until, services }: { error: PostroomError; until: string; services: DeliveryServices },
): Promise<void> {
  const fault = describeFault(error)
  const isHeldBack = message.state === 'retrying' && message.fault?.code === error.code
  if (!isHeldBack) await transition(message, { state: 'retrying', fault, nextAttemptAt: null }, services)
  await services.outbox.postpone(row, until > message.expiresAt ? message.expiresAt : until)
}

export async function postpone(
  message: OutboundMessage,
  row: OutboxRow,
  { error, until, services }: { error: PostroomError; until: string | null; services: DeliveryServices },
): Promise<void> {
  const waitMs = retryAfterMs[Math.min(message.attempt, retryAfterMs.length) - 1] ?? retryAfterMs[0] ?? 0
  const ownMs = services.now() + waitMs * (1 + jitter * Math.random())
  const nextAttemptAt = until ?? new Date(ownMs).toISOString()
  await transition(
    message,
    { state: 'retrying', fault: describeFault(error), nextAttemptAt, bodyStarted: false },
    services,
  )
  const outlivesIt = nextAttemptAt > message.expiresAt
  await services.outbox.postpone(row, outlivesIt ? message.expiresAt : nextAttemptAt)
}
