/** Hands one message over. What is about to happen is written down before it does. */

import { Readable } from 'node:stream'
import { asPostroomError, describeFault, PostroomError } from '../channel/faults.ts'
import type { OutboundMessage } from '../channel/messages.ts'
import type { OutboxRow } from '../channel/outbox.ts'
import type { SmtpSession } from '../channel/smtp.ts'
import { firstCopyLookMs, firstOutcomeLookMs } from './sent-look.ts'
import { failed, finish, move, type Place, retryLater } from './settle.ts'

interface Delivery extends Place {
  session: SmtpSession
  /** The whole conversation about this mail must be over by then. */
  limitMs: number
  /** The provider puts no copy where the mailbox's owner looks for it; we do. */
  needsCopy: boolean
}

/** What a delivery means for the session. `open` is the message, if it still waits to be sent. */
export type Delivered =
  | { session: 'usable' }
  | { session: 'closed'; isLost: boolean }
  | { session: 'broken'; error: PostroomError; open?: OutboundMessage }

/** How far a delivery has come. */
interface Claim {
  /** As it stands: as it was, or `sending` with one attempt more. */
  message: OutboundMessage
  /** Somebody else has moved the message: cancelled at the last moment, or taken over. */
  isLost: boolean
  /** Our own bytes did not come. */
  bodyError: PostroomError | undefined
}

/** @throws PostroomError `internal` of our own trouble; the message is then found by the next drain */
export async function deliver(
  message: OutboundMessage,
  row: OutboxRow,
  delivery: Delivery,
): Promise<Delivered> {
  const { services, session, limitMs } = delivery
  const body = await services.mail.stream(message.rawKey)
  if (!body)
    return ended(message, row, { ...delivery, change: failed(new PostroomError('message_bytes_missing')) })
  const claim: Claim = { message, isLost: false, bodyError: undefined }
  try {
    const accepted = await session.send(
      envelopeOf(message),
      Readable.from(announced(body, claim, delivery)),
      {
        limitMs,
      },
    )
    const change: Partial<OutboundMessage> = {
      state: 'sent',
      fault: null,
      sentAt: at(services.now()),
      providerMessageId: accepted.providerMessageId,
      rejectedRecipients: accepted.rejected,
      sentLook: delivery.needsCopy ? { tries: 0, at: at(services.now() + firstCopyLookMs) } : null,
    }
    return await ended(claim.message, row, { ...delivery, change })
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (claim.isLost) return { session: 'closed', isLost: true }
    return await notAccepted(error, row, { ...delivery, claim, attempt: message.attempt + 1 })
  } finally {
    // Where the server never asked for it, nobody has read it.
    body.destroy()
  }
}

function envelopeOf({ from, to, cc, bcc, sizeBytes }: OutboundMessage) {
  const recipients = [...to, ...cc, ...bcc].map(({ address }) => address)
  return { from: from[0]?.address ?? '', to: [...new Set(recipients)], sizeBytes }
}

/**
 * Runs when the server has asked for the body, and says so before it lets the first byte leave: from then on
 * this attempt may end in a delivered mail, whatever becomes of us.
 */
async function* announced(body: Readable, claim: Claim, place: Place) {
  const { message } = claim
  try {
    const change = { state: 'sending' as const, attempt: message.attempt + 1, nextAttemptAt: null }
    const claimed = await move(message, change, place)
    claim.isLost = claimed === undefined
    if (!claimed) throw new PostroomError('internal', { evidence: 'another has moved the message' })
    claim.message = claimed
    yield* body
  } catch (error) {
    claim.bodyError = asPostroomError(error)
    throw error
  }
}

async function notAccepted(
  error: PostroomError,
  row: OutboxRow,
  { claim, attempt, ...delivery }: Delivery & { claim: Claim; attempt: number },
): Promise<Delivered> {
  const { message } = claim
  const { now } = delivery.services
  if (error.code === 'outcome_unknown') {
    const sentLook = { tries: 0, at: at(now() + firstOutcomeLookMs) }
    const change = { state: 'uncertain' as const, fault: describeFault(error), sentLook, attempt }
    await finish(message, row, { ...delivery, change })
    const gone = new PostroomError('smtp_unreachable', { cause: error, evidence: error.evidence })
    return { session: 'broken', error: gone }
  }
  const isOver = error.row.action === 'retry_once' && attempt > 1
  if (error.row.action === 'reject' || isOver)
    return ended(message, row, { ...delivery, change: { ...failed(error), attempt } })
  if (error.code === 'smtp_temporary' || error.row.action === 'retry_once') {
    await retryLater(message, row, { ...delivery, error, attempt })
    // A session that is taken for not signed in is of no use to the others either.
    return error.code === 'smtp_sign_in_lost' ? { session: 'closed', isLost: false } : { session: 'usable' }
  }
  // The connection broke before the end of the body, so that nothing was accepted; and that is no attempt.
  const open = message.state === 'sending' ? await released(message, { ...delivery, error }) : message
  if (claim.bodyError) throw new PostroomError('internal', { cause: claim.bodyError })
  return { session: 'broken', error, open }
}

function released(message: OutboundMessage, { error, ...place }: Place & { error: PostroomError }) {
  const change = { state: 'retrying' as const, attempt: message.attempt - 1, fault: describeFault(error) }
  return move(message, { ...change, nextAttemptAt: null }, place)
}

async function ended(
  message: OutboundMessage,
  row: OutboxRow,
  place: Place & { change: Partial<OutboundMessage> },
): Promise<Delivered> {
  await finish(message, row, place)
  return { session: 'usable' }
}

function at(ms: number): string {
  return new Date(ms).toISOString()
}
