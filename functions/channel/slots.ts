/** Slots: which mailboxes are polled in which minute. Static, so that an idle poll writes nothing. */

import { z } from 'zod'
import { shardOf } from './identifiers.ts'
import { readItem, type Table } from './table.ts'

/** The intervals a mailbox may have. Fixed, so that a changed setting never leaves a mailbox in a slot nobody reads. */
export const pollIntervals = [1, 5, 15, 60] as const

/** Spreads one minute's mailboxes over several partitions, and one invocation's reads. */
const shards = 4

const slotSchema = z.object({ channelId: z.string() })

const slotPartition = (intervalMinutes: number, minute: number, shard: number) =>
  `SLOT#${intervalMinutes}#${minute}#${shard}`

function slotKey(channelId: string, intervalMinutes: number) {
  const minute = shardOf(`minute ${channelId}`, intervalMinutes)
  return { pk: slotPartition(intervalMinutes, minute, shardOf(channelId, shards)), sk: channelId }
}

export interface Slots {
  add(channelId: string, intervalMinutes: number): Promise<void>
  remove(channelId: string, intervalMinutes: number): Promise<void>
  /** @param minute minutes since the epoch @returns the channels whose turn it is */
  dueAt(minute: number): Promise<string[]>
}

export function openSlots({ main }: { main: Table }): Slots {
  return {
    async add(channelId, intervalMinutes) {
      await main.put({ ...slotKey(channelId, intervalMinutes), channelId })
    },

    async remove(channelId, intervalMinutes) {
      await main.remove(slotKey(channelId, intervalMinutes))
    },

    async dueAt(minute) {
      const partitions = pollIntervals.flatMap(interval =>
        Array.from({ length: shards }, (_, shard) => slotPartition(interval, minute % interval, shard)),
      )
      const items = (await Promise.all(partitions.map(pk => main.partition(pk)))).flat()
      return items.map(item => readItem(slotSchema, item).channelId)
    },
  }
}
