/** Drains one webhook: what is due, in order, one event at a time. */

import type { Deliveries, Delivery } from '../channel/deliveries.ts'
import type { Events, PostroomEvent } from '../channel/events.ts'
import { randomId } from '../channel/identifiers.ts'
import { leaseKeys, takeLease } from '../channel/lease.ts'
import { log } from '../channel/log.ts'
import type { Table } from '../channel/table.ts'
import { noteFailure, noteGivenUp, noteSuccess } from '../channel/webhook-health.ts'
import { postEvent, type WebhookRequestServices } from '../channel/webhook-request.ts'
import type { Webhook, Webhooks } from '../channel/webhooks.ts'
import { isDue, nextAttempt } from './retry-plan.ts'

export interface DrainServices extends WebhookRequestServices {
  main: Table
  webhooks: Webhooks
  deliveries: Deliveries
  events: Events
}

export interface DrainOptions {
  services: DrainServices
  deadlineMs: number
  /** Events just heard of, which need not be read from the log. */
  heard: ReadonlyMap<string, PostroomEvent>
}

/** One look at the list takes up to this many rows. */
const rowsPerLook = 50
/** No post begins with less time than this left; the webhook is rung for again. */
const reserveMs = 15_000
/** An event that is announced and not yet in the log is looked for again this much later. */
const unwrittenMs = 10_000

export async function drain(webhookId: string, options: DrainOptions): Promise<void> {
  const { webhooks } = options.services
  const lease = await takeLease(leaseKeys.webhook(webhookId), randomId('drain'), options.services)
  if (!lease) return
  try {
    do {
      const webhook = await webhooks.find(webhookId)
      // Said before the lease and the doorbell are given up, so that whatever waits is rung for.
      if (webhook) await webhooks.wake(webhook, await drainOnce(webhook, options))
    } while (!(await lease.release()))
  } catch (error) {
    lease.abandon()
    throw error
  }
}

/** @returns when there is something to do again; null if nothing is left */
async function drainOnce(found: Webhook, options: DrainOptions): Promise<string | null> {
  const { services, deadlineMs } = options
  const { deliveries, now } = services
  let webhook = found
  let { recoveredAt } = found
  let wakeAt: string | null = null
  let last: Delivery | undefined
  for (;;) {
    const rows = await deliveries.rows(webhook.id, rowsPerLook, last)
    for (const row of rows) {
      if (webhook.state === 'paused') return null
      const at = new Date(now()).toISOString()
      if (webhook.restsUntil !== null && webhook.restsUntil > at) return webhook.restsUntil
      if (!isDue(row, webhook, now())) {
        wakeAt = earliest(wakeAt, row.dueAt)
        continue
      }
      // `schedule` rings for the rest: a function that rings for itself is stopped by Lambda as a loop.
      if (deadlineMs - now() < reserveMs) return at
      const result: Result = await deliver(row, webhook, options)
      webhook = result.webhook
      if (result.retryAt) wakeAt = earliest(wakeAt, result.retryAt)
    }
    last = rows.at(-1)
    if (last && rows.length === rowsPerLook) continue
    // Back from a rest: what failed before is due at once, after what had not been tried.
    if (webhook.recoveredAt === recoveredAt) return wakeAt
    recoveredAt = webhook.recoveredAt
    last = undefined
  }
}

function earliest(one: string | null, other: string): string {
  return one !== null && one < other ? one : other
}

interface Result {
  webhook: Webhook
  /** Null if the delivery is done, one way or the other. */
  retryAt: string | null
}

async function deliver(row: Delivery, webhook: Webhook, options: DrainOptions): Promise<Result> {
  const { services, heard } = options
  const { events, deliveries, now } = services
  const event = heard.get(row.eventId) ?? (await events.find(row.eventId))
  if (!event) {
    const retryAt = nextAttempt({ ...row, attempt: 0 }, { nowMs: now() })
    if (retryAt === null) await deliveries.clear(row)
    return { webhook, retryAt: retryAt && new Date(now() + unwrittenMs).toISOString() }
  }
  const receipt = await postEvent(webhook, event, services)
  const answer = receipt.accepted ? `HTTP ${receipt.status}` : receipt.evidence
  log({ event: 'posted', eventId: event.id, webhookId: webhook.id, accepted: receipt.accepted, answer })
  if (receipt.accepted) {
    await deliveries.clear(row)
    return { webhook: await noteSuccess(webhook, services), retryAt: null }
  }
  const retryAt = nextAttempt(row, { nowMs: now(), retryAfterMs: receipt.retryAfterMs })
  const failing = await noteFailure(webhook, receipt, services)
  if (retryAt === null) {
    await noteGivenUp(failing, event, services)
    await deliveries.clear(row)
  } else {
    await deliveries.postpone(row, { triedAt: new Date(now()).toISOString(), dueAt: retryAt })
  }
  return { webhook: failing, retryAt }
}
