/** Makes a confirmed sign-in a working channel. Every step may be repeated; a crash is mended by confirming again. */

import type { Channel, Channels } from './channels.ts'
import type { Candidate, ConnectSession, ConnectSessions } from './connect-sessions.ts'
import { PostroomError } from './faults.ts'
import type { Health } from './health.ts'
import type { Queues } from './queues.ts'
import type { Slots } from './slots.ts'

export interface ActivationServices {
  channels: Channels
  sessions: ConnectSessions
  slots: Slots
  queues: Queues
  health: Health
  pollIntervalMinutes: number
  now(): number
}

/**
 * @returns the channel, connected
 * @throws PostroomError `session_not_confirmable` unless the session awaits its confirmation (or has it already)
 */
export async function activate(session: ConnectSession, services: ActivationServices): Promise<Channel> {
  const { sessions, slots, queues, health, pollIntervalMinutes } = services
  const { candidate } = session
  if (candidate === null || !['awaiting_confirmation', 'connected'].includes(session.state)) {
    throw new PostroomError('session_not_confirmable', {
      errors: [{ field: 'state', rule: 'must be awaiting_confirmation', found: session.state }],
    })
  }

  // The slot first: polling a channel that is not there yet does nothing, a channel without a slot is never polled.
  await slots.add(candidate.channelId, pollIntervalMinutes)
  const channel = await store(session, candidate, services)
  await sessions.move(session.id, { states: ['awaiting_confirmation'] }, { state: 'connected' })
  const announced = await health.announce(channel)
  await queues.poll([channel.id])
  await queues.ring(channel.id)
  return announced
}

async function store(
  session: ConnectSession,
  candidate: Candidate,
  services: Pick<ActivationServices, 'channels' | 'now'>,
): Promise<Channel> {
  const { channels, now } = services
  const at = new Date(now()).toISOString()
  const known = await channels.find(candidate.channelId)
  if (known?.grantId === candidate.grantId) return known
  const isBack = known !== undefined && known.disconnectedAt === null
  const fresh = {
    email: candidate.email,
    displayName: candidate.displayName,
    login: candidate.login,
    grantId: candidate.grantId,
    auth: { state: 'connected' as const, fault: null, since: at },
    connection: { state: 'ok' as const, fault: null, until: null },
    disconnectedAt: null,
    unannounced: [
      ...(known?.unannounced ?? []),
      { type: isBack ? 'channel.reconnected' : 'channel.connected', at },
    ],
  }
  if (known) {
    const changed = await channels.change(known.id, fresh, { equals: { grantId: known.grantId } })
    // Another confirmation came in between: look again at what is there now.
    return changed ?? store(session, candidate, services)
  }
  const channel: Channel = {
    ...fresh,
    id: candidate.channelId,
    accountId: session.accountId,
    provider: session.provider,
    identity: candidate.identity,
    sharedMailbox: session.sharedMailbox,
    connectedAt: at,
    fetchSince: session.fetchSince ?? session.createdAt,
    lastFetchedAt: null,
  }
  return (await channels.create(channel)) ? channel : store(session, candidate, services)
}
