/** Slots: which mailboxes are polled in which minute. Written when a mailbox moves, so that an idle poll writes nothing. */

import { mixEvenly, shardOf } from './identifiers.ts'
import type { Table } from './table.ts'

/** The intervals a mailbox may have. Fixed, so that a changed setting never leaves a mailbox in a slot nobody reads. */
export const pollIntervals = [1, 5, 15, 60] as const

/** What one fetch invocation takes at a time. */
export const mailboxesPerBatch = 50

/** A mailbox in its slot. */
export interface Slot {
  channelId: string
  provider: string
  intervalMinutes: number
}

/**
 * Spreads one minute's mailboxes over several index partitions: a million mailboxes at 5 minutes are 50,000 keys in
 * each, 6 MB or 750 of the 3,000 read units that a partition gives in every second of the minute.
 */
const shards = 4
const keysPerPage = 2_000
const partitionsAtOnce = 32

/** Pure: where in the interval a mailbox has its minute. It stays the same for as long as the interval does. */
export function slotPartition({ channelId, intervalMinutes }: Omit<Slot, 'provider'>): string {
  const minute = shardOf(`minute ${channelId}`, intervalMinutes)
  return partitionName(intervalMinutes, minute, shardOf(channelId, shards))
}

/** Pure: the partitions whose turn it is in any of these minutes (since the epoch), each once. */
export function partitionsDue(minutes: number[]): { pk: string; intervalMinutes: number }[] {
  const due = pollIntervals.flatMap(intervalMinutes =>
    [...new Set(minutes.map(minute => minute % intervalMinutes))].flatMap(minute =>
      Array.from({ length: shards }, (_, shard) => ({
        pk: partitionName(intervalMinutes, minute, shard),
        intervalMinutes,
      })),
    ),
  )
  return due
}

function partitionName(intervalMinutes: number, minute: number, shard: number): string {
  return `SLOT#${intervalMinutes}#${minute}#${shard}`
}

const slotKey = (channelId: string, provider: string) => ({
  pk: `CHANNEL#${channelId}`,
  sk: `SLOT#${provider}`,
})

export interface Slots {
  /**
   * Puts a mailbox into a slot, out of any other. One write to one item whose index key says the slot: a mailbox is
   * never in two slots or in none, wherever a crash comes.
   */
  put(slot: Slot): Promise<void>
  remove(channelId: string, provider: string): Promise<void>
  /** @param minutes since the epoch @returns the mailboxes whose turn it is, grouped by provider, the partitions mixed evenly */
  dueIn(minutes: number[]): Promise<Slot[]>
}

export function openSlots({ main }: { main: Table }): Slots {
  async function read({ pk, intervalMinutes }: { pk: string; intervalMinutes: number }): Promise<Slot[]> {
    const slots: Slot[] = []
    let after: string | undefined
    do {
      const page = await main.listing(pk, { after, limit: keysPerPage })
      for (const key of page.items) {
        slots.push({
          channelId: key.pk.slice('CHANNEL#'.length),
          provider: key.sk.slice('SLOT#'.length),
          intervalMinutes,
        })
      }
      after = page.after ?? undefined
    } while (after !== undefined)
    return slots
  }

  return {
    async put({ channelId, provider, intervalMinutes }) {
      await main.put({
        ...slotKey(channelId, provider),
        listPk: slotPartition({ channelId, intervalMinutes }),
        listSk: channelId,
      })
    },

    async remove(channelId, provider) {
      await main.remove(slotKey(channelId, provider))
    },

    async dueIn(minutes) {
      const partitions = [...partitionsDue(minutes).entries()]
      const found: Slot[][] = []
      const reader = async () => {
        for (let next = partitions.shift(); next; next = partitions.shift())
          found[next[0]] = await read(next[1])
      }
      await Promise.all(Array.from({ length: partitionsAtOnce }, reader))
      // Mailboxes that move on after their poll shall not all write to one partition.
      return mixEvenly(found).sort((a, b) => (a.provider < b.provider ? -1 : a.provider > b.provider ? 1 : 0))
    },
  }
}
