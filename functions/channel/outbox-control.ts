/** What an app may do to a message it sent: try it again, or stop it before it leaves. */

import { mayUse } from './access.ts'
import type { Channel, Channels } from './channels.ts'
import { PostroomError } from './faults.ts'
import type { Messages, OutboundMessage } from './messages.ts'
import type { Outbox } from './outbox.ts'

interface ControlServices {
  channels: Channels
  messages: Messages
  outbox: Outbox
  now(): number
}

const retryable: readonly string[] = ['failed', 'uncertain', 'expired', 'retrying', 'parked', 'queued']
const cancellable: readonly string[] = ['queued', 'retrying', 'parked']
/** How long a message retried after its time has for its new attempts. */
const secondLifeMs = 72 * 3600_000

/**
 * Sends a message now: one that has ended without being sent, one whose next attempt or `sendAt` is yet to come, or a
 * parked one whose channel works again. Asked for twice, it is the same.
 * @throws PostroomError `message_not_found`, `message_not_retryable`, `channel_disconnected`, `channel_not_usable`
 */
export async function retryMessage(
  id: string,
  { channels, messages, outbox, now }: ControlServices,
): Promise<OutboundMessage> {
  const message = await outbound(id, messages)
  if (!retryable.includes(message.state)) throw refuse('message_not_retryable', retryable, message)
  const channel = await channels.get(message.channelId)
  if (channel.disconnectedAt !== null) throw new PostroomError('channel_disconnected')
  if (message.state === 'parked' && !mayUse(channel, 'smtp')) throw unusable(channel)
  const at = new Date(now()).toISOString()
  const expiresAt = message.expiresAt > at ? message.expiresAt : new Date(now() + secondLifeMs).toISOString()
  // The pointer first: a crash between the two leaves a pointer to a final message, which the drain clears.
  await outbox.point(message, at)
  const queued = await messages.change(
    id,
    { state: 'queued', fault: null, sendAt: null, nextAttemptAt: null, sentLook: null, expiresAt },
    { oneOf: { state: [...retryable] } },
  )
  if (queued) return queued
  throw refuse('message_not_retryable', retryable, await outbound(id, messages))
}

/** @throws PostroomError `message_not_found`, `message_not_cancellable` */
export async function cancelMessage(
  id: string,
  { messages, outbox, now }: ControlServices,
): Promise<OutboundMessage> {
  const message = await outbound(id, messages)
  const cancelled = await messages.change(id, { state: 'cancelled' }, { oneOf: { state: [...cancellable] } })
  if (cancelled) {
    // Told and cleared by the next drain, not only when the message would have been due.
    await outbox.point(cancelled, new Date(now()).toISOString())
    return cancelled
  }
  throw refuse('message_not_cancellable', cancellable, message)
}

async function outbound(id: string, messages: Messages): Promise<OutboundMessage> {
  const message = await messages.get(id)
  if (message.direction === 'outbound') return message
  throw new PostroomError('message_not_found', {
    errors: [{ field: 'id', rule: 'must name an outbound message', found: id.slice(0, 80) }],
  })
}

function refuse(
  code: 'message_not_retryable' | 'message_not_cancellable',
  states: readonly string[],
  message: OutboundMessage,
): PostroomError {
  return new PostroomError(code, {
    errors: [{ field: 'state', rule: `must be ${states.join(', ')}`, found: message.state }],
  })
}

/** Sending would only park it again: whoever asks must know what is in the way. */
function unusable({ auth, access }: Channel): PostroomError {
  const fault = access.smtp.fault ?? auth.fault
  return new PostroomError('channel_not_usable', {
    errors: [
      {
        field: 'channel.auth.state',
        rule: 'must be connected, by a reconnect or by a probe that succeeds; the message leaves by itself then',
        found: fault ? `${auth.state} (${fault.code}: ${fault.summary})` : auth.state,
      },
    ],
  })
}
