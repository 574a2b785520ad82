/** The outbox: per channel an ordered list of what is still to be done. The message row is the truth, a row here points to it. */

import * as v from 'valibot'
import { mixEvenly, shardOf } from './identifiers.ts'
import type { OutboundMessage } from './messages.ts'
import { type Key, readItem, type Table } from './table.ts'

/** Spreads what is due over several partitions of the index. */
const dueShards = 8
const duePartition = (shard: number) => `DUE#OUTBOX#${shard}`

const rowSchema = v.object({
  pk: v.string(),
  sk: v.string(),
  id: v.string(),
  dueAt: v.string(),
  waitsForChannel: v.optional(v.boolean(), false),
})

export interface OutboxRow {
  key: Key
  /** The message it points to. */
  id: string
  /** When somebody must look at it. Until then a drain passes it over without reading its message. */
  dueAt: string
  /** Waits for its channel to be well again, and is looked at as soon as it is, before later ones: they stay in order. */
  waitsForChannel: boolean
}

const partitionOf = (channelId: string) => `OUTBOX#${channelId}`
/** Sort keys begin with the time of acceptance: replies leave in the order in which they were accepted. */
const rowKey = (message: OutboundMessage): Key => ({
  pk: partitionOf(message.channelId),
  sk: `${message.acceptedAt}#${message.id}`,
})

/** @returns the channel a row of the index `due` belongs to */
function channelOfRow(key: Key): string {
  return key.pk.slice(partitionOf('').length)
}

export interface Outbox {
  /**
   * Puts a pointer in place *before* its message row exists, so that no accepted message is ever without
   * one. A pointer without a message is an accept that failed; the drain clears it away.
   */
  point(message: OutboundMessage, dueAt: string): Promise<void>
  /** The rows of one channel in order of acceptance, consistently; `after` goes on behind a row. */
  rows(channelId: string, limit: number, after?: OutboxRow): Promise<OutboxRow[]>
  /** Does nothing if the row is no longer as it was seen: somebody has asked for the message anew. */
  postpone(row: OutboxRow, dueAt: string, options?: { waitsForChannel: boolean }): Promise<void>
  /** As `postpone`: a retry that came between must not lose its pointer. */
  clear(row: OutboxRow): Promise<void>
  /**
   * @returns channels with rows that are due by `at`, those that have waited longest first in each shard, the shards
   * mixed evenly: whoever drains one after the other writes to all partitions of the index alike
   */
  dueChannels(at: string, channelsPerShard: number): Promise<string[]>
  /** @returns since when the row that has waited longest is due; null if none is due by `at` */
  oldestDue(at: string): Promise<string | null>
}

export function openOutbox({ main }: { main: Table }): Outbox {
  const due = (key: Key, dueAt: string) => ({
    dueAt,
    duePk: duePartition(shardOf(key.pk, dueShards)),
    dueSk: `${dueAt}#${key.sk}`,
  })

  const shards = Array.from({ length: dueShards }, (_, shard) => duePartition(shard))

  return {
    async point(message, dueAt) {
      const key = rowKey(message)
      await main.put({ ...key, id: message.id, ...due(key, dueAt) })
    },

    async rows(channelId, limit, after) {
      const items = await main.partition(partitionOf(channelId), { limit, after: after?.key.sk })
      return items.map(item => {
        const { pk, sk, ...row } = readItem(rowSchema, item)
        return { key: { pk, sk }, ...row }
      })
    },

    async postpone({ key, dueAt: seen }, dueAt, { waitsForChannel } = { waitsForChannel: false }) {
      await main.update(key, { set: { ...due(key, dueAt), waitsForChannel } }, { equals: { dueAt: seen } })
    },

    async clear({ key, dueAt: seen }) {
      await main.remove(key, { equals: { dueAt: seen } })
    },

    async dueChannels(at, channelsPerShard) {
      const found = await Promise.all(
        shards.map(async pk => {
          const channels = new Set<string>()
          // A channel with thousands of rows must not hide the others behind them.
          for await (const keys of main.duePages(pk, `${at}#\uffff`)) {
            for (const key of keys) channels.add(channelOfRow(key))
            if (channels.size >= channelsPerShard) break
          }
          return [...channels]
        }),
      )
      return mixEvenly(found)
    },

    async oldestDue(at) {
      const first = await Promise.all(shards.map(pk => main.due(pk, `${at}#\uffff`, 1)))
      const items = (await main.getMany(first.flat())).filter(item => item !== undefined)
      const [oldest] = items.map(item => readItem(rowSchema, item).dueAt).sort()
      return oldest ?? null
    },
  }
}
