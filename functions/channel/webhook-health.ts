/** How a webhook fares: told when it begins to fail, when it is well again, and when it is given up. */

import { type Events, operatorAccount, type PostroomEvent } from './events.ts'
import { presentWebhook, type Webhook, type Webhooks } from './webhooks.ts'

export interface WebhookHealthServices {
  webhooks: Webhooks
  events: Events
  now(): number
}

const minuteMs = 60_000
/** So many failures in a row, whatever the events, and it is the receiver that is broken. */
const failuresUntilRest = 3
const longestRestMs = 60 * minuteMs
/** Who has accepted nothing for so long is sent nothing more until the app says so. */
export const patienceMs = 3 * 24 * 60 * minuteMs

/** Writes only after failures: a receiver that is well costs nothing here. */
export async function noteSuccess(webhook: Webhook, services: WebhookHealthServices): Promise<Webhook> {
  if (webhook.failures === 0) return webhook
  const hasRested = webhook.restsUntil !== null
  if (hasRested) await tell('webhook.recovered', webhook, services)
  const change = {
    failures: 0,
    failingSince: null,
    restsUntil: null,
    // Not after one failure or two: the event was refused then, not the receiver down.
    recoveredAt: hasRested ? new Date(services.now()).toISOString() : webhook.recoveredAt,
  }
  return (await services.webhooks.change(webhook.id, change)) ?? webhook
}

/** @returns the webhook, resting after the third failure in a row, paused after three days of them */
export async function noteFailure(
  webhook: Webhook,
  { evidence, isGone }: { evidence: string; isGone: boolean },
  services: WebhookHealthServices,
): Promise<Webhook> {
  const nowMs = services.now()
  const at = new Date(nowMs).toISOString()
  const failures = webhook.failures + 1
  const failingSince = webhook.failingSince ?? at
  const isOver = isGone || nowMs - Date.parse(failingSince) >= patienceMs
  const change = {
    failures,
    failingSince,
    lastFailure: { at, evidence },
    restsUntil: restUntil(failures, nowMs),
    state: isOver ? ('paused' as const) : webhook.state,
  }
  const failing = { ...webhook, ...change }
  // Told first: told twice it is one event, but written and not told it would be none.
  if (failures === failuresUntilRest) await tell('webhook.failing', failing, services)
  if (isOver) await tell('webhook.paused', failing, services)
  // A webhook that was deleted meanwhile is sent nothing more either.
  return (await services.webhooks.change(webhook.id, change)) ?? { ...failing, state: 'paused' }
}

/** Tells of one event whose time is over; the log still has it. */
export function noteGivenUp(
  webhook: Webhook,
  event: PostroomEvent,
  services: WebhookHealthServices,
): Promise<void> {
  return tell('webhook.delivery_failed', webhook, services, event)
}

/** One minute, then two, four, … up to an hour. One try ends each rest. */
function restUntil(failures: number, nowMs: number): string | null {
  const steps = failures - failuresUntilRest
  if (steps < 0) return null
  return new Date(nowMs + Math.min(minuteMs * 2 ** steps, longestRestMs)).toISOString()
}

function tell(
  type: 'webhook.failing' | 'webhook.recovered' | 'webhook.paused' | 'webhook.delivery_failed',
  webhook: Webhook,
  { events, now }: WebhookHealthServices,
  event?: PostroomEvent,
): Promise<void> {
  return events.announce({
    type,
    accountId: webhook.accountId ?? operatorAccount,
    channelId: null,
    occurredAt: new Date(now()).toISOString(),
    // One of each in an episode.
    subject: `${webhook.id} ${event?.id ?? webhook.failingSince}`,
    data: {
      webhook: presentWebhook(webhook),
      ...(event && { event: { id: event.id, type: event.type, occurredAt: event.occurredAt } }),
    },
  })
}
