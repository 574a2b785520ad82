/** Makes a confirmed sign-in a working channel. Every step may be repeated; a crash is mended by confirming again. */

import { authOf, nextProbeAt } from './access.ts'
import { untroubled, withStep } from './channel-health.ts'
import { type Channel, type Channels, defaultFolders } from './channels.ts'
import {
  type Candidate,
  type ConnectSession,
  type ConnectSessions,
  confirmationLifeMs,
} from './connect-sessions.ts'
import { PostroomError } from './faults.ts'
import type { Health } from './health.ts'
import type { Identities } from './identities.ts'
import { log } from './log.ts'
import type { Queues } from './queues.ts'
import type { Slots } from './slots.ts'

/** Where the servers gave no verdict in time: the next mail will tell. */
const unprovenAccess: Channel['access'] = {
  imap: { state: 'ok', fault: null },
  smtp: { state: 'ok', fault: null },
}

export interface ActivationServices {
  channels: Channels
  sessions: ConnectSessions
  slots: Slots
  identities: Identities
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
  const { sessions, slots, identities, channels, queues, health, pollIntervalMinutes } = services
  const { candidate } = session
  if (candidate === null || !['awaiting_confirmation', 'connected'].includes(session.state)) {
    throw new PostroomError('session_not_confirmable', {
      errors: [{ field: 'state', rule: 'must be awaiting_confirmation', found: session.state }],
    })
  }

  if (session.state === 'awaiting_confirmation') await keepAwake(session, services)

  // The slot first: polling a channel that is not there yet does nothing, a channel without a slot is never polled.
  await slots.put({
    channelId: candidate.channelId,
    provider: session.provider,
    intervalMinutes: pollIntervalMinutes,
  })
  await identities.add({ provider: session.provider, identity: candidate.identity }, candidate.channelId)
  const before = await channels.find(candidate.channelId)
  const channel = await store(session, candidate, services)
  if (before && before.grantId !== channel.grantId) await queues.forget({ ...grantOf(before), revoke: false })
  await sessions.move(session.id, { states: ['awaiting_confirmation'] }, { state: 'connected' })
  log({ event: 'connect_confirmed', sessionId: session.id, channelId: channel.id })
  const announced = await health.announce(channel)
  await queues.pollNow(channel)
  await queues.ring(channel.id)
  return announced
}

/** From here on the grant is not taken for unconfirmed, however long the next writes take. */
async function keepAwake(session: ConnectSession, { sessions, now }: ActivationServices): Promise<void> {
  await sessions.move(
    session.id,
    { states: ['awaiting_confirmation'], equals: { expiresAtMs: session.expiresAtMs } },
    { state: 'awaiting_confirmation', expiresAtMs: now() + confirmationLifeMs },
  )
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
  const access = candidate.access ?? unprovenAccess
  const fresh = {
    clientId: candidate.clientId,
    access,
    nextProbeAt: nextProbeAt(access, now()),
    email: candidate.email,
    // The app may have set another name, which a reconnect leaves alone.
    displayName: known ? known.displayName : candidate.displayName,
    aliases: known ? known.aliases : [],
    login: candidate.login,
    grantId: candidate.grantId,
    auth: authOf(access, at),
    ...untroubled,
    history: withStep(known?.history ?? [], {
      at,
      axis: 'auth',
      protocol: null,
      from: known?.auth.state ?? 'none',
      to: authOf(access, at).state,
      reason: 'consented',
      evidence: null,
    }),
    revision: (known?.revision ?? 0) + 1,
    disconnectedAt: null,
    unannounced: [
      ...(known?.unannounced ?? []),
      { type: isBack ? 'channel.reconnected' : 'channel.connected', at },
      ...(nextProbeAt(access, now()) ? [{ type: 'channel.blocked', at }] : []),
    ],
  }
  if (known) {
    const reading = session.folders && { folders: session.folders, folderPaths: {} }
    const changed = await channels.change(
      known.id,
      { ...fresh, ...reading },
      { equals: { grantId: known.grantId } },
    )
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
    folders: session.folders ?? defaultFolders,
    folderPaths: {},
    connectedAt: at,
    fetchSince: session.fetchSince ?? session.createdAt,
    ownerNotice: null,
    lastFetchedAt: null,
  }
  return (await channels.create(channel)) ? channel : store(session, candidate, services)
}

/** Names the grant a channel stands on, for whoever is to forget it. */
export function grantOf({ grantId, accountId, id, provider, identity }: Channel) {
  return { grantId, accountId, channelId: id, provider, identity }
}
