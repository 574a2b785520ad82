/** What a row of the outbox points to: settles what is done, takes note of what is to be looked for, gives what waits to be sent. */

import { asPostroomError, describeFault, PostroomError } from '../channel/faults.ts'
import { errorForLog, log } from '../channel/log.ts'
import { finalStates, type Message, type OutboundMessage } from '../channel/messages.ts'
import type { OutboxRow } from '../channel/outbox.ts'
import { firstOutcomeLookMs, type Look } from './sent-look.ts'
import { type DeliveryServices, expire, finish, type Place, putOff, settle } from './settle.ts'

/** A pointer whose message never came is cleared after this long: its accept has failed. */
const orphanMs = 5 * 60_000
/** A message whose row is damaged is for a person; it must not be found due every minute until then. */
const damagedMs = 3_600_000

/** @returns the message, if it waits to be sent and its time has come */
export async function openRow(
  row: OutboxRow,
  { looks, ...place }: Place & { looks: Look[] },
): Promise<OutboundMessage | undefined> {
  const { services, channel } = place
  const at = new Date(services.now()).toISOString()
  const message = await readMessage(row, services)
  if (message?.direction !== 'outbound') return undefined
  const { state, sentLook } = message
  // We hold the lease, so whoever was sending this is dead, and the body may have arrived. Never again blindly.
  if (state === 'sending') await becomeUncertain(message, row, place)
  // Due since before the look was planned: a crash came between the two, or it has yet to be told.
  else if (sentLook && row.dueAt < sentLook.at) await settle(message, row, place)
  else if (sentLook) looks.push({ row, message })
  else if (finalStates.includes(state)) await settle(message, row, place)
  else if (message.expiresAt <= at) await expire(message, row, place)
  else {
    const notBefore = state === 'retrying' ? message.nextAttemptAt : message.sendAt
    const isNow = notBefore === null || notBefore <= at || row.waitsForChannel
    if (isNow || channel.disconnectedAt !== null) return message
    await putOff(message, row, { until: notBefore, services })
  }
  return undefined
}

async function readMessage(
  row: OutboxRow,
  { messages, outbox, now }: DeliveryServices,
): Promise<Message | undefined> {
  try {
    const message = await messages.find(row.id)
    const acceptedAtMs = Date.parse(row.key.sk.slice(0, row.key.sk.indexOf('#')))
    if (!message && now() - acceptedAtMs > orphanMs) await outbox.clear(row)
    return message
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.code !== 'stored_item_invalid') throw error
    log({ event: 'message_unreadable', ...errorForLog(error) })
    await outbox.postpone(row, new Date(now() + damagedMs).toISOString())
    return undefined
  }
}

async function becomeUncertain(message: OutboundMessage, row: OutboxRow, place: Place): Promise<void> {
  const fault = describeFault(new PostroomError('outcome_unknown'))
  const sentLook = { tries: 0, at: new Date(place.services.now() + firstOutcomeLookMs).toISOString() }
  await finish(message, row, { ...place, change: { state: 'uncertain', fault, sentLook } })
}
