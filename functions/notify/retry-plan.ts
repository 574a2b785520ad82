/** When a delivery that failed is tried again. */

import type { Delivery } from '../channel/deliveries.ts'
import { patienceMs } from '../channel/webhook-health.ts'
import type { Webhook } from '../channel/webhooks.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** After the first failure, the second, …: together a little more than the three days there are. */
const delaysMs = [1, 5, 30].map(n => n * minuteMs).concat([2, 5, 10, 14, 20, 24].map(n => n * hourMs))
const longestDelayMs = 24 * hourMs

/** @returns when to try again; the last time at the very end of the three days, and after that null */
export function nextAttempt(
  { attempt, addedAt }: Pick<Delivery, 'attempt' | 'addedAt'>,
  { nowMs, retryAfterMs = 0 }: { nowMs: number; retryAfterMs?: number },
): string | null {
  const endMs = Date.parse(addedAt) + patienceMs
  if (nowMs >= endMs) return null
  const delayMs = Math.max(delaysMs[attempt] ?? longestDelayMs, retryAfterMs)
  return new Date(Math.min(nowMs + delayMs, endMs)).toISOString()
}

/** What failed before the receiver came back is due at once. */
export function isDue(
  { triedAt, dueAt }: Pick<Delivery, 'triedAt' | 'dueAt'>,
  { recoveredAt }: Pick<Webhook, 'recoveredAt'>,
  nowMs: number,
): boolean {
  if (Date.parse(dueAt) <= nowMs) return true
  return triedAt !== null && recoveredAt !== null && triedAt <= recoveredAt
}
