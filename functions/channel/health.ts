/** The two health axes of a channel: who moves them, and what is announced when they move. */

import { type Channel, type ChannelChange, type Channels, presentChannel } from './channels.ts'
import type { Events, EventType } from './events.ts'
import { describeFault, type PostroomError } from './faults.ts'

export interface Health {
  /**
   * Moves `auth`, on proof only: the token endpoint's verdict, or a server's refusal of a fresh token.
   * Announced once per episode, whichever of sending and fetching finds it (row S7).
   */
  loginRefused(channel: Channel, error: PostroomError): Promise<Channel>
  /** Moves `connection`: an outage, throttle or time-out, which never asks a person for anything. */
  unreachable(channel: Channel, error: PostroomError): Promise<Channel>
  /** A success proves both axes. An idle success writes nothing. */
  succeeded(channel: Channel): Promise<Channel>
  /** Announces what was decided with the channel's last change; also called by `schedule` for crashed callers. */
  announce(channel: Channel): Promise<Channel>
}

/** After an outage a channel is tried again at this pace; the mail waits in the outbox. */
const backOffMs = 60_000

export interface HealthServices {
  channels: Channels
  events: Events
  now(): number
}

export function openHealth({ channels, events, now }: HealthServices): Health {
  const nowText = () => new Date(now()).toISOString()

  async function announce(channel: Channel): Promise<Channel> {
    if (channel.unannounced.length === 0) return channel
    for (const { type, at } of channel.unannounced) {
      await events.announce({
        type: type as EventType,
        accountId: channel.accountId,
        channelId: channel.id,
        occurredAt: at,
        subject: `${channel.id} ${at}`,
        data: { channel: presentChannel(channel) },
      })
    }
    return (await channels.change(channel.id, { unannounced: [] })) ?? channel
  }

  async function move(channel: Channel, change: ChannelChange, type: EventType | null): Promise<Channel> {
    const unannounced = type ? [...channel.unannounced, { type, at: nowText() }] : channel.unannounced
    const moved = await channels.change(channel.id, type ? { ...change, unannounced } : change, {
      // A reconnect in between brought a new grant: what was found out about the old one no longer counts.
      equals: { grantId: channel.grantId },
    })
    return moved ? announce(moved) : channel
  }

  return {
    announce,

    async loginRefused(channel, error) {
      if (channel.auth.state === 'reconnect_required') return channel
      const auth = { state: 'reconnect_required' as const, fault: describeFault(error), since: nowText() }
      return move(channel, { auth }, 'channel.reconnect_required')
    },

    async unreachable(channel, error) {
      const until = new Date(now() + (error.retryAfterMs ?? backOffMs)).toISOString()
      return move(channel, { connection: { state: 'backing_off', fault: describeFault(error), until } }, null)
    },

    async succeeded(channel) {
      const authWasBroken = channel.auth.state !== 'connected'
      if (!authWasBroken && channel.connection.state === 'ok') return channel
      const change: ChannelChange = { connection: { state: 'ok', fault: null, until: null } }
      if (authWasBroken) change.auth = { state: 'connected', fault: null, since: nowText() }
      return move(channel, change, authWasBroken ? 'channel.recovered' : null)
    },
  }
}
