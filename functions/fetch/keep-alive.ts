/** Refreshes grants that nothing else has refreshed for a week. One that was costs two reads here, and no write. */

import { grantOf } from '../channel/activation.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError } from '../channel/faults.ts'
import type { Grants } from '../channel/grant.ts'
import type { Health } from '../channel/health.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Tokens } from '../channel/tokens.ts'

export interface KeepAliveServices {
  channels: Channels
  grants: Grants
  tokens: Tokens
  health: Health
  now(): number
}

/** Far below the shortest time after which a provider ends an unused grant. */
const unusedMs = 7 * 24 * 3600_000
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
  if (now() - expiresAtMs < unusedMs) return
  try {
    await tokens.accessToken(channel)
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action === 'reconnect') await health.failed(channel, 'imap', error)
    throw error
  }
}
