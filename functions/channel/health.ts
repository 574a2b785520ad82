/** The two health axes of a channel: who moves them, and what is announced when they move. */

import { authOf, nextProbeAt } from './access.ts'
import { type Channel, type ChannelChange, type Channels, presentChannel } from './channels.ts'
import type { Events, EventType } from './events.ts'
import { describeFault, type PostroomError } from './faults.ts'
import type { Protocol } from './probe.ts'

export interface Health {
  /**
   * Moves `auth`, on proof only: the token endpoint's verdict, or a server's refusal of a fresh token.
   * Announced once per episode, whichever of sending and fetching finds it (row S7).
   */
  loginRefused(channel: Channel, error: PostroomError): Promise<Channel>
  /** A setting forbids one protocol: the other goes on, an administrator is told (once). */
  blocked(channel: Channel, protocol: Protocol, error: PostroomError): Promise<Channel>
  /** A probe has proven what works; announces what that changed. */
  proven(channel: Channel, change: ChannelChange): Promise<Channel>
  /** Moves `connection`: an outage, throttle or time-out, which never asks a person for anything. */
  unreachable(channel: Channel, error: PostroomError): Promise<Channel>
  /** A success ends a back-off. An idle success writes nothing. */
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

  async function move(channel: Channel, change: ChannelChange, types: EventType[]): Promise<Channel> {
    const unannounced = [...channel.unannounced, ...types.map(type => ({ type, at: nowText() }))]
    const moved = await channels.change(channel.id, types.length > 0 ? { ...change, unannounced } : change, {
      // A reconnect or a healed login in between: what was found out about the old ones no longer counts.
      equals: {
        grantId: channel.grantId,
        'login.imap': channel.login.imap,
        'login.smtp': channel.login.smtp,
      },
    })
    return moved ? announce(moved) : ((await channels.find(channel.id)) ?? channel)
  }

  return {
    announce,

    async loginRefused(channel, error) {
      if (channel.auth.state === 'reconnect_required') return channel
      const auth = { state: 'reconnect_required' as const, fault: describeFault(error), since: nowText() }
      return move(channel, { auth }, ['channel.reconnect_required'])
    },

    async blocked(seen, protocol, error) {
      // What a probe has just found and told is not told again.
      const channel = (await channels.find(seen.id)) ?? seen
      const isKnown = channel.access[protocol].state === 'blocked'
      const access = {
        ...channel.access,
        [protocol]: { state: 'blocked' as const, fault: describeFault(error) },
      }
      const change = { access, auth: authOf(access, nowText()), nextProbeAt: nextProbeAt(access, now()) }
      return move(channel, change, isKnown ? [] : ['channel.blocked'])
    },

    async proven(channel, change) {
      const types: EventType[] = []
      const after = { ...channel, ...change }
      const { imap, smtp } = after.login
      if (imap !== channel.login.imap || smtp !== channel.login.smtp) types.push('channel.login_healed')
      const [was, is] = [channel.auth.state, after.auth.state]
      if (is === 'connected' && was !== 'connected') types.push('channel.recovered')
      if (is === 'blocked_by_admin' && was !== 'blocked_by_admin') types.push('channel.blocked')
      // The same state keeps its time: `since` tells how long, not when it was last looked at.
      const auth = was === is ? { ...after.auth, since: channel.auth.since } : after.auth
      return move(channel, { ...change, auth }, types)
    },

    async unreachable(channel, error) {
      const until = new Date(now() + (error.retryAfterMs ?? backOffMs)).toISOString()
      return move(channel, { connection: { state: 'backing_off', fault: describeFault(error), until } }, [])
    },

    async succeeded(channel) {
      if (channel.connection.state === 'ok') return channel
      return move(channel, { connection: { state: 'ok', fault: null, until: null } }, [])
    },
  }
}
