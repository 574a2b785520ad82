/** What is still to be posted to a webhook: per webhook an ordered list of events. The log holds the events, a row here points to one. */

import * as v from 'valibot'
import { integer } from './single-values.ts'
import { type Key, readItem, type Table } from './table.ts'

const rowSchema = v.object({
  pk: v.string(),
  sk: v.string(),
  eventId: v.string(),
  /** Attempts so far. */
  attempt: integer,
  addedAt: v.string(),
  triedAt: v.nullable(v.string()),
  dueAt: v.string(),
})

export interface Delivery extends Omit<v.InferOutput<typeof rowSchema>, 'pk' | 'sk'> {
  key: Key
}

/** As long as the event log itself: what it points to is gone then. */
const retentionSeconds = 30 * 24 * 3600

const partitionOf = (webhookId: string) => `DELIVERIES#${webhookId}`

export interface Deliveries {
  /** Adds an event, once. Sort keys begin with the time at which it happened: that is the order of delivery. */
  add(webhookId: string, event: { id: string; occurredAt: string }): Promise<void>
  /** In order, consistently; `after` goes on behind a row. */
  rows(webhookId: string, limit: number, after?: Delivery): Promise<Delivery[]>
  postpone(delivery: Delivery, change: { triedAt: string; dueAt: string }): Promise<void>
  clear(delivery: Delivery): Promise<void>
}

export function openDeliveries({ main, now }: { main: Table; now(): number }): Deliveries {
  return {
    async add(webhookId, { id, occurredAt }) {
      const at = new Date(now()).toISOString()
      await main.put(
        {
          pk: partitionOf(webhookId),
          sk: `${occurredAt}#${id}`,
          eventId: id,
          attempt: 0,
          addedAt: at,
          triedAt: null,
          dueAt: at,
          ttl: Math.floor(now() / 1000) + retentionSeconds,
        },
        { exists: false },
      )
    },

    async rows(webhookId, limit, after) {
      const items = await main.partition(partitionOf(webhookId), { limit, after: after?.key.sk })
      return items.map(item => {
        const { pk, sk, ...delivery } = readItem(rowSchema, item)
        return { key: { pk, sk }, ...delivery }
      })
    },

    async postpone({ key }, change) {
      await main.update(key, { set: change, add: { attempt: 1 } })
    },

    async clear({ key }) {
      await main.remove(key)
    },
  }
}
