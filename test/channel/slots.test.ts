/** The arithmetic of slots, without any store: every mailbox once in its interval, and no partition fuller than others. */

import { expect, test } from 'vitest'
import { openSlots, partitionsDue, pollIntervals, slotPartition } from '../../functions/channel/slots.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { unevenness } from '../support/unevenness.ts'

const ids = Array.from({ length: 20_000 }, (_, i) => `ch_${i}`)

test.each(pollIntervals)('every %i minutes, a mailbox has its turn exactly once', intervalMinutes => {
  const turns = new Map<string, number>()
  for (let minute = 1_000; minute < 1_000 + intervalMinutes; minute++)
    for (const { pk } of partitionsDue([minute])) turns.set(pk, (turns.get(pk) ?? 0) + 1)
  for (const channelId of ids.slice(0, 500))
    expect(turns.get(slotPartition({ channelId, intervalMinutes }))).toBe(1)
})

test('the mailboxes of an interval lie evenly over its minutes and shards', () => {
  const counts = new Map<string, number>()
  for (const channelId of ids) {
    const pk = slotPartition({ channelId, intervalMinutes: 5 })
    counts.set(pk, (counts.get(pk) ?? 0) + 1)
  }
  expect(counts.size).toBe(20)
  const mean = ids.length / counts.size
  // Six standard deviations of a fair distribution.
  for (const count of counts.values()) expect(Math.abs(count - mean)).toBeLessThan(6 * Math.sqrt(mean))
})

test('an hour that was missed reads each partition once, not once a minute', () => {
  const hour = partitionsDue(Array.from({ length: 60 }, (_, minute) => minute))
  expect(new Set(hour.map(({ pk }) => pk)).size).toBe(hour.length)
  expect(hour).toHaveLength((1 + 5 + 15 + 60) * 4)
})

test('mailboxes of one minute come from its partitions alike: those that move on write to no single one', async () => {
  const slots = openSlots({ main: openMemoryTable() })
  for (const channelId of ids.slice(0, 400))
    await slots.put({ channelId, provider: 'microsoft', intervalMinutes: 1 })
  const partitions = (await slots.dueIn([1_000])).map(slotPartition)
  expect(partitions).toHaveLength(400)
  expect(unevenness(partitions)).toBeLessThanOrEqual(1)
})
