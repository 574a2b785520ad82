/**
 * Refreshes grants that nothing else has refreshed for a week. One that was costs two reads here, and no write.
 *
 * A grant also shows whether its mailbox is polled at all: a poll needs a token every hour. A mailbox that nobody polls,
 * whatever became of its place among the slots, is told of and put back into one.
 */

import { mayUse } from '../channel/access.ts'
import { grantOf } from '../channel/activation.ts'
import type { AppBreaker } from '../channel/app-breaker.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError } from '../channel/faults.ts'
import type { Grants } from '../channel/grant.ts'
import type { Health } from '../channel/health.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Slots } from '../channel/slots.ts'
import type { Tokens } from '../channel/tokens.ts'

export interface KeepAliveServices {
  channels: Channels
  grants: Grants
  tokens: Tokens
  health: Health
  breaker: AppBreaker
  slots: Slots
  pollIntervalMinutes: number
  now(): number
}

/** Far below the shortest time after which a provider ends an unused grant. */
const unusedMs = 7 * 24 * 3600_000
/** The longest interval is an hour, and a token is refreshed before it ends. */
const unpolledMs = 3 * 3600_000
/** Nobody waits for these: few at a time. */
const concurrency = 5

export async function keepAlive(channelIds: string[], services: KeepAliveServices): Promise<void> {
  const waiting = await services.channels.findMany(channelIds)
  const worker = async () => {
    for (let channel = waiting.shift(); channel; channel = waiting.shift()) {
      try {
        await keepOneAlive(channel, services)
      } catch (error) {
        // An outage, say: the next walk comes tomorrow, and there are months of time.
        log({ event: 'keep_alive_failed', channelId: channel.id, ...errorForLog(error) })
      }
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker))
}

async function keepOneAlive(channel: Channel, services: KeepAliveServices): Promise<void> {
  const { grants, tokens, health, now } = services
  if (channel.disconnectedAt !== null || channel.auth.state === 'reconnect_required') return
  // An access token ends within a day of its refresh, so this is how long ago the last one was.
  const { expiresAtMs } = await grants.read(grantOf(channel))
  const unusedForMs = now() - expiresAtMs
  if (unusedForMs > unpolledMs) await pollAgain(channel, services)
  if (unusedForMs < unusedMs) return
  try {
    await tokens.accessToken(channel)
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action === 'reconnect') await health.failed(channel, 'imap', error)
    throw error
  }
}

async function pollAgain(channel: Channel, services: KeepAliveServices): Promise<void> {
  const { breaker, slots, health, pollIntervalMinutes } = services
  if (channel.isOverdueTold || channel.imapTrouble !== null || !mayUse(channel, 'imap')) return
  const [shown] = await breaker.shown([channel])
  // Its app has its own event: nobody gets a token.
  if (shown?.auth.state === 'app_fault') return
  await slots.put({ channelId: channel.id, provider: channel.provider, intervalMinutes: pollIntervalMinutes })
  await health.overlooked(channel)
}
