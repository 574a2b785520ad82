/**
 * Restore mode: tables were put back to an earlier time while mailboxes went on. What they hold as waiting may have left
 * since, and what an app asks for once more may have left already. So while the mode is on, every message is looked for
 * in Sent before it leaves (functions/send/sent-look.ts): its Message-ID follows from its idempotency key, and is the
 * same again. What came in needs no mode: it is read anew from the older cursor, under the same ids.
 */

import * as v from 'valibot'
import type { OutboundMessage } from './messages.ts'
import { time } from './single-values.ts'

export const restoredSchema = v.strictObject({
  /** When the tables were put back; tells this restore from another. */
  at: v.pipe(time, v.endsWith('Z', 'must be a time in UTC, such as 2026-11-26T12:00:00Z')),
  /** What was accepted before and is not found in Sent: `resume` sends it, `resync` leaves that to its app. */
  mode: v.picklist(['resume', 'resync'], 'must be resume or resync'),
})

export type Restored = v.InferOutput<typeof restoredSchema>

export function isToBeSought({ soughtAfter }: OutboundMessage, restored: Restored | null): boolean {
  return restored !== null && soughtAfter !== restored.at
}

export function maySendUnfound({ acceptedAt }: OutboundMessage, { at, mode }: Restored): boolean {
  return mode === 'resume' || Date.parse(acceptedAt) >= Date.parse(at)
}
