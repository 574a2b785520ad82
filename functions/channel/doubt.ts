/** One refusal is not believed: a fault that stops a mailbox must be seen as often, over as long, as its row wants. */

import type { Trouble } from './channel-health.ts'
import type { Channel } from './channels.ts'
import type { PostroomError } from './faults.ts'
import type { Protocol } from './probe.ts'

/** Counts how often this very fault was seen since the protocol last worked; null for faults that need no proof. */
export function doubtAfter(
  channel: Channel,
  protocol: Protocol,
  error: PostroomError,
  nowMs: number,
): Trouble['doubt'] {
  const before = channel[`${protocol}Trouble`]?.doubt ?? null
  // An outage in between says nothing, for or against.
  if (!error.row.proof) return before
  if (before?.code !== error.code) {
    return { code: error.code, count: 1, since: new Date(nowMs).toISOString() }
  }
  return { ...before, count: before.count + 1 }
}

/** Whether a fault was seen as often, over as long, as its row wants before it is believed. */
export function isProven(channel: Channel, protocol: Protocol, error: PostroomError, nowMs: number): boolean {
  const { proof } = error.row
  if (!proof) return true
  const doubt = doubtAfter(channel, protocol, error, nowMs)
  if (!doubt) return false
  return doubt.count >= proof.failures && nowMs - Date.parse(doubt.since) >= proof.overMs
}
