/** Counts what is told: how a message ended, how long it took, and who was asked for something. */

import * as v from 'valibot'
import type { Events, EventType } from './events.ts'
import type { MetricName, Metrics } from './metrics.ts'
import { check } from './schema-check.ts'

const counted: Partial<Record<EventType, MetricName>> = {
  'message.sent': 'MessagesSent',
  'message.parked': 'MessagesParked',
  'message.failed': 'MessagesFailed',
  'message.rejected': 'MessagesRejected',
  'message.received': 'MailsReceived',
  'channel.reconnect_required': 'PromptsRaised',
  'app.fault': 'AppFaults',
  'app.secret_expiring': 'AppFaults',
}

/** Mail that arrived before this is back-fill, or the end of an outage that other alarms have told of. */
const lagLimitMs = 24 * 3600_000

const sentSchema = v.object({
  message: v.object({ acceptedAt: v.string(), sendAt: v.nullish(v.string()), sentAt: v.string() }),
})

/** The same log of events; each that was told adds to the metrics. */
export function countingEvents(
  events: Events,
  { metrics, now }: { metrics: Metrics; now(): number },
): Events {
  return {
    ...events,
    async announce(event, options) {
      await events.announce(event, options)
      const name = counted[event.type]
      if (name) metrics.add(name)
      if (event.type === 'message.sent') {
        const sent = check(sentSchema, event.data).data?.message
        if (sent)
          metrics.add('SecondsToSent', seconds(sent.sendAt ?? sent.acceptedAt, Date.parse(sent.sentAt)))
      }
      if (event.type === 'message.received' && now() - Date.parse(event.occurredAt) < lagLimitMs) {
        metrics.add('ArrivalLagSeconds', seconds(event.occurredAt, now()))
      }
    },
  }
}

/** Clocks of servers differ from ours: what seems to lie ahead took no time. */
function seconds(from: string, toMs: number): number {
  return Math.max(0, (toMs - Date.parse(from)) / 1000)
}
