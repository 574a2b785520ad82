/** In which order channels are rung for: whoever drains them one after the other writes to the index's partitions. */

import { expect, test } from 'vitest'
import type { OutboundMessage } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { unevenness } from '../support/unevenness.ts'

const acceptedAt = '2026-01-05T00:00:00.000Z'

test('regression: the rings after an outage came shard by shard, and one partition took twice what it may', async () => {
  const main = openMemoryTable()
  const outbox = openOutbox({ main })
  for (let number = 0; number < 400; number++) {
    const message = { id: `msg_${number}`, channelId: `ch_${number}`, acceptedAt }
    await outbox.point(message as OutboundMessage, acceptedAt)
  }
  const channelIds = await outbox.dueChannels(acceptedAt, 1_000)
  const shardOf = async (channelId: string) =>
    (await main.partition(`OUTBOX#${channelId}`, { limit: 1 }))[0]?.duePk
  const shards = await Promise.all(channelIds.map(shardOf))
  expect(shards).toHaveLength(400)
  expect(unevenness(shards)).toBeLessThanOrEqual(1)
})
