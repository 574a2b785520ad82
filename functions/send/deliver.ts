/** One message's way through its phases. Each phase is one conditional write, made before what it tells of happens. */

import { Readable } from 'node:stream'
import type { Channel } from '../channel/channels.ts'
import type { Events, EventType } from '../channel/events.ts'
import { asPostroomError, describeFault, PostroomError } from '../channel/faults.ts'
import type { MailStore } from '../channel/mail-store.ts'
import { type Messages, type OutboundMessage, presentMessage } from '../channel/messages.ts'
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
  const { messages, now } = services
  const attempt = message.attempt + 1
  // Fencing: whoever else believes to deliver this has another attempt number, and fails at its next write.
  const claimed = await messages.change(
    message.id,
    { state: 'sending', attempt, bodyStarted: false },
    { equals: { attempt: message.attempt, bodyStarted: false }, oneOf: { state: [message.state] } },
  )
  if (!claimed) return

  try {
    const recipients = [...message.to, ...message.cc, ...message.bcc].map(({ address }) => address)
    const accepted = await session.send(
      { from: message.from[0]?.address ?? '', to: [...new Set(recipients)], sizeBytes: message.sizeBytes },
      Readable.from(frozenBytes(claimed, services)),
    )
    const sent = await finish(claimed, {
      state: 'sent',
      fault: null,
      sentAt: new Date(now()).toISOString(),
      providerMessageId: accepted.providerMessageId,
      rejectedRecipients: accepted.rejected,
    })
    await settle(sent, row, { channel, services })
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.code === 'outcome_unknown') {
      await settle(await finish(claimed, { state: 'uncertain', fault: describeFault(error) }), row, {
        channel,
        services,
      })
      // The connection is gone as well; the drain opens another for the rest.
      throw new PostroomError('smtp_unreachable', { cause: error, evidence: error.evidence })
    }
    if (error.row.action === 'reject') {
      await settle(await finish(claimed, { state: 'failed', fault: describeFault(error) }), row, {
        channel,
        services,
      })
      return
    }
    await postpone(claimed, row, { error, until: null, services })
    // "Try this one later" is the message's own trouble; the others need not wait for it.
    if (error.code !== 'smtp_temporary') throw error
  }

  function finish(current: OutboundMessage, change: Partial<OutboundMessage>) {
    return transition(current, { ...change, bodyStarted: false }, services)
  }
}

/** Reads from S3 first, then says that the body leaves, then lets it leave. Runs when the server has asked for it. */
async function* frozenBytes(message: OutboundMessage, { messages, mail }: DeliveryServices) {
  const stream = await mail.stream(message.rawKey)
  if (!stream) throw new PostroomError('internal', { evidence: 'the frozen message is not in S3' })
  let isFirst = true
  for await (const chunk of stream) {
    if (isFirst) {
      isFirst = false
      const { attempt } = message
      const marked = await messages.change(
        message.id,
        { bodyStarted: true },
        { equals: { state: 'sending', attempt, bodyStarted: false } },
      )
      if (!marked) throw new PostroomError('internal', { evidence: 'another drain has taken over' })
    }
    yield chunk
  }
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
    data: { message: presentMessage(message, content) },
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
