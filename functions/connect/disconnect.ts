/** Ends a channel at the app's wish: nothing is read or sent any more, the grant is revoked and forgotten. */

import { grantOf } from '../channel/activation.ts'
import { type Channel, type Channels, presentChannel } from '../channel/channels.ts'
import { PostroomError } from '../channel/faults.ts'
import { type ForgetServices, forgetGrant } from '../channel/forget-grant.ts'
import type { Health } from '../channel/health.ts'
import { type HttpAnswer, json } from '../channel/http.ts'
import { providerOf } from '../channel/provider.ts'
import type { Queues } from '../channel/queues.ts'
import type { Slots } from '../channel/slots.ts'

export interface DisconnectServices extends ForgetServices {
  channels: Channels
  slots: Slots
  health: Health
  queues: Queues
  now(): number
}

/**
 * Repeating it finishes what a crash left. What is queued is cancelled by the next drain, with an event each.
 * @throws PostroomError `channel_not_found`
 */
export async function disconnect(channelId: string, services: DisconnectServices): Promise<HttpAnswer> {
  const { channels, slots, identities, health, queues, providers } = services
  const known = await channels.get(channelId)
  const channel = await health.announce(known.disconnectedAt === null ? await end(known, services) : known)
  await forgetGrant({ ...grantOf(channel), revoke: true }, services)
  await identities.remove(channel, channel.id)
  await slots.remove(channel.id, channel.provider)
  await queues.ring(channel.id)
  return json(200, {
    ...presentChannel(channel),
    // Microsoft has no revocation: the person removes the app themselves.
    revokedAtProvider: providerOf(providers, channel.provider).revocationEndpoint !== null,
  })
}

async function end(channel: Channel, { channels, now }: DisconnectServices): Promise<Channel> {
  const at = new Date(now()).toISOString()
  const unannounced = [...channel.unannounced, { type: 'channel.disconnected', at }]
  const ended = await channels.change(
    channel.id,
    { disconnectedAt: at, unannounced, wakeAt: null, revision: channel.revision + 1 },
    { equals: { grantId: channel.grantId } },
  )
  if (ended) return ended
  throw new PostroomError('channel_not_found', {
    errors: [{ field: 'id', rule: 'must not be reconnected at the same moment', found: channel.id }],
  })
}
