/**
 * The link by which the owner of a broken mailbox begins to reconnect it: `/connect/{channel id}.{256 random bits}`.
 *
 * A connect link lives for ten minutes, but somebody may read a prompt days later; so this one lives for a week,
 * and each time it is followed to the sign-in, an ordinary one-time session of ten minutes begins. It may live
 * that long, and stand in events, because it gives nothing away: whoever has it can only begin a sign-in at the
 * provider, the sign-in must bring this very mailbox (`identity_mismatch` otherwise), and all it can end in is that
 * the channel works again. It shows the mailbox's address. We keep its hash, which DynamoDB forgets after the week.
 */

import * as v from 'valibot'
import type { Channel, Channels } from './channels.ts'
import { PostroomError } from './faults.ts'
import { hashSecret, randomSecret } from './identifiers.ts'
import { readItem, type Table } from './table.ts'

const lifeMs = 7 * 24 * 3600_000

const linkSchema = v.object({
  /** The grant it is to replace: once another consent has, the link is used up. */
  grantId: v.string(),
  expiresAtMs: v.number(),
})

/** An item of its own: of prompts that are told at the same moment, none can lose another's link. */
const linkKey = (channelId: string, secret: string) => ({
  pk: `CHANNEL#${channelId}`,
  sk: `RECONNECT_LINK#${hashSecret(secret)}`,
})

export interface ReconnectLinks {
  /** @returns the link's URL, which stands nowhere else */
  create(channel: Channel): Promise<string>
  /**
   * @returns the channel the link is for
   * @throws PostroomError `ticket_invalid`, `ticket_expired`
   */
  channelOf(channelId: string, secret: string): Promise<Channel>
}

export interface ReconnectLinkServices {
  main: Table
  channels: Channels
  /** Origin of the connect pages. */
  publicUrl: string
  now(): number
}

export function openReconnectLinks(services: ReconnectLinkServices): ReconnectLinks {
  const { main, channels, publicUrl, now } = services
  return {
    async create({ id, grantId }) {
      const secret = randomSecret()
      const expiresAtMs = now() + lifeMs
      // Kept for a day more, so that whoever comes late is told that it has expired.
      const ttl = Math.floor(expiresAtMs / 1000) + 24 * 3600
      await main.put({ ...linkKey(id, secret), grantId, expiresAtMs, ttl }, { exists: false })
      return `${publicUrl}/connect/${id}.${secret}`
    },

    async channelOf(channelId, secret) {
      const channel = await channels.find(channelId)
      if (!channel || channel.disconnectedAt !== null) throw new PostroomError('ticket_invalid')
      const item = await main.get(linkKey(channelId, secret))
      const link = item && readItem(linkSchema, item)
      if (link?.grantId !== channel.grantId || channel.auth.state === 'connected') {
        throw new PostroomError('ticket_invalid')
      }
      if (link.expiresAtMs <= now()) throw new PostroomError('ticket_expired')
      return channel
    },
  }
}

/** Whether a ticket is a reconnect link and no connect session's. */
export function isReconnectTicket(id: string): boolean {
  return id.startsWith('ch_')
}
