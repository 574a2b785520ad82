/** Measures how late mail is, and says in the log whose. */

import { log } from '../channel/log.ts'
import type { Metrics } from '../channel/metrics.ts'
import type { Outbox } from '../channel/outbox.ts'

/** What waits for its provider's pace may be late by some minutes; longer, and somebody should know. */
const overdueMs = 15 * 60_000
/** Of each shard: whether they are a hundred or a thousand is no other alarm. */
const channelsPerShard = 20
const namedAtOnce = 10

/** @param isAnyDue whether there is anything to measure: most minutes cost nothing */
export async function watchOutbox(
  { isAnyDue }: { isAnyDue: boolean },
  { outbox, metrics, now }: { outbox: Outbox; metrics: Metrics; now(): number },
): Promise<void> {
  const at = new Date(now()).toISOString()
  const oldest = isAnyDue ? await outbox.oldestDue(at) : null
  const lateMs = oldest === null ? 0 : now() - Date.parse(oldest)
  metrics.add('OldestDueSeconds', lateMs / 1000)
  const since = new Date(now() - overdueMs).toISOString()
  const channelIds = lateMs > overdueMs ? await outbox.dueChannels(since, channelsPerShard) : []
  metrics.add('ChannelsOverdue', channelIds.length)
  if (channelIds.length > 0)
    log({ event: 'mail_overdue', channels: channelIds.length, channelIds: channelIds.slice(0, namedAtOnce) })
}
