/** SQS → webhooks: every event the topic tells is put on the list of each webhook that wants it, and the lists are drained. */

import type { Context, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import * as v from 'valibot'
import { eventLog, mainTable, systemMetrics, webhookPosting } from '../channel/clients.ts'
import { openDeliveries } from '../channel/deliveries.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import { eventSchema, type PostroomEvent } from '../channel/events.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Metrics } from '../channel/metrics.ts'
import { webhookDoorbellSchema } from '../channel/queue-bodies.ts'
import { check, parse } from '../channel/schema-check.ts'
import { openWebhooks } from '../channel/webhooks.ts'
import { type DrainServices, drain } from './drain.ts'

export type NotifyServices = DrainServices & { metrics: Metrics }

// called by AWS; a record that is returned as failed comes back after the queue's visibility time-out
let services: NotifyServices | undefined
export function handler(event: SQSEvent, context: Context): Promise<SQSBatchResponse> {
  return withoutWords(async () => {
    services ??= buildServices()
    return notify(event.Records, { services, deadlineMs: Date.now() + context.getRemainingTimeInMillis() })
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): NotifyServices {
  const main = mainTable()
  const metrics = systemMetrics()
  const now = Date.now
  return {
    main,
    metrics,
    webhooks: openWebhooks({ main }),
    deliveries: openDeliveries({ main, now }),
    events: eventLog(main, metrics),
    ...webhookPosting(),
    now,
  }
}

/** What the queue brings: an event from the topic, or `schedule` that rings for one webhook. */
const recordSchema = v.union([webhookDoorbellSchema, eventSchema])

// Runs for every batch. A webhook that fails fails alone.
export async function notify(
  records: Pick<SQSRecord, 'messageId' | 'body'>[],
  { services, deadlineMs }: { services: NotifyServices; deadlineMs: number },
): Promise<SQSBatchResponse> {
  const failed = new Set<string>()
  const heard = new Map<string, PostroomEvent>()
  const rung = new Map<string, string[]>()

  for (const { messageId, body } of records) {
    try {
      for (const webhookId of await webhooksOf(body, heard, services)) {
        rung.set(webhookId, [...(rung.get(webhookId) ?? []), messageId])
      }
    } catch (error) {
      failed.add(messageId)
      log({ event: 'notify_failed', record: messageId, ...errorForLog(error) })
    }
  }
  await Promise.all(
    [...rung].map(([webhookId, messageIds]) =>
      drain(webhookId, { services, deadlineMs, heard }).catch(error => {
        for (const messageId of messageIds) failed.add(messageId)
        log({ event: 'notify_failed', webhookId, ...errorForLog(error) })
      }),
    ),
  )
  if (failed.size > 0) services.metrics.add('InternalFaults', failed.size)
  services.metrics.write()
  return { batchItemFailures: [...failed].map(itemIdentifier => ({ itemIdentifier })) }
}

/** Puts an event on the lists first: from then on it is kept, whatever becomes of this invocation. */
async function webhooksOf(
  body: string,
  heard: Map<string, PostroomEvent>,
  { webhooks, deliveries }: DrainServices,
): Promise<string[]> {
  const record = parse(recordSchema, JSON.parse(body))
  if ('webhookId' in record) return [record.webhookId]
  heard.set(record.id, record)
  const listening = await webhooks.listening(record.accountId, record.type)
  const told = listening.filter(({ id }) => id !== subjectOf(record))
  for (const { id } of told) await deliveries.add(id, record)
  return told.map(({ id }) => id)
}

/** No webhook is told of its own failures: each would be one more. */
function subjectOf({ data }: PostroomEvent): unknown {
  return check(v.object({ webhook: v.object({ id: v.string() }) }), data).data?.webhook.id
}
