/**
 * The link by which the owner of a broken mailbox begins to reconnect it: `/connect/{channel id}.{256 random bits}`.
 *
 * A connect link lives for ten minutes, but somebody may read a prompt days later; so this one lives for a week,
 * and each time it is followed to the sign-in, an ordinary one-time session of ten minutes begins. It may live
 * that long, and stand in events, because it gives nothing away: whoever has it can only begin a sign-in at the
 * provider, the sign-in must bring this very mailbox (`identity_mismatch` otherwise), and all it can end in is that
 * the channel works again. It shows the mailbox's address. We keep its hash, and forget it with the reconnect.
 */

import type { Channel, Channels } from './channels.ts'
import { PostroomError } from './faults.ts'
import { hashSecret, randomSecret } from './identifiers.ts'

const lifeMs = 7 * 24 * 3600_000
/** One for the prompt and each of its reminders, and some for those that crashed before they were told. */
const linksKept = 8

interface LinkServices {
  channels: Channels
  publicUrl: string
  now(): number
}

export async function newReconnectLink(
  channel: Channel,
  { channels, publicUrl, now }: LinkServices,
): Promise<string> {
  const secret = randomSecret()
  const link = { hash: hashSecret(secret), expiresAt: new Date(now() + lifeMs).toISOString() }
  const latest = (await channels.find(channel.id)) ?? channel
  const reconnectLinks = [...latest.reconnectLinks, link].slice(-linksKept)
  await channels.change(channel.id, { reconnectLinks }, { equals: { grantId: latest.grantId } })
  return `${publicUrl}/connect/${channel.id}.${secret}`
}

/** Whether a ticket is a reconnect link and no connect session's. */
export function isReconnectTicket(id: string): boolean {
  return id.startsWith('ch_')
}

/**
 * @returns the channel the link is for
 * @throws PostroomError `ticket_invalid`, `ticket_expired`
 */
export async function channelOfLink(
  id: string,
  secret: string,
  { channels, now }: Pick<LinkServices, 'channels' | 'now'>,
): Promise<Channel> {
  const channel = await channels.find(id)
  const hash = hashSecret(secret)
  // Hashes of 256 random bits: to compare them in constant time would protect nothing.
  const link = channel?.reconnectLinks.find(known => known.hash === hash)
  if (!channel || !link || channel.disconnectedAt !== null) throw new PostroomError('ticket_invalid')
  if (Date.parse(link.expiresAt) <= now()) throw new PostroomError('ticket_expired')
  return channel
}
