/** One poll of one mailbox: sign in, see what is new, store it mail by mail, and move the cursor behind each. */

import { mayUse, nextProbeAt } from '../channel/access.ts'
import { isAppFault } from '../channel/app-faults.ts'
import { restsUntil } from '../channel/channel-health.ts'
import { type Channel, type Channels, isInbox } from '../channel/channels.ts'
import { asPostroomError, type PostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import { proofIn } from '../channel/health-transitions.ts'
import type { ImapSession } from '../channel/imap-reader.ts'
import type { ImapLogin } from '../channel/imap-sign-in.ts'
import { lastActiveAt } from '../channel/poll-interval.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import type { Queues } from '../channel/queues.ts'
import { lookAgain, settleRefusal } from '../channel/recheck.ts'
import type { Tokens } from '../channel/tokens.ts'
import type { Cursor } from './cursor.ts'
import { hasWorkLeft, isIdle, readFolder } from './folder.ts'
import { knownPlaces, lookUpPlaces, mustLook } from './places.ts'
import type { FolderServices } from './reading.ts'

/** How IMAP is spoken. */
interface Imap {
  open(login: ImapLogin, options: { lifeMs: number; now(): number }): Promise<ImapSession>
}

export interface MailboxServices extends FolderServices {
  channels: Channels
  tokens: Tokens
  providers: Providers
  health: Health
  queues: Queues
  imap: Imap
}

interface Poll {
  services: MailboxServices
  deadlineMs: number
  /** Somebody waits for it, and shall see when it was done. */
  isRequested: boolean
}

interface Outcome {
  hasTaken: boolean
  /** Mail is waiting already. */
  hasMore: boolean
}
const nothing: Outcome = { hasTaken: false, hasMore: false }

/** @throws PostroomError once the channel's health shows what went wrong */
export async function pollMailbox(seen: Channel, poll: Poll): Promise<Outcome> {
  const { health, now } = poll.services
  if (restsUntil(seen, 'imap', now()) !== null) return nothing
  const channel = isProbeDue(seen, now()) ? await probedAgain(seen, poll.services) : seen
  if (!mayUse(channel, 'imap')) return nothing
  try {
    const outcome = await fetchOverSessions(channel, poll)
    await markRead(channel, { isActive: outcome.hasTaken || poll.isRequested }, poll.services)
    await health.succeeded(channel, 'imap')
    return outcome
  } catch (thrown) {
    const error = await lookedInto(channel, asPostroomError(thrown), poll.services)
    // Our own trouble and the operator's say nothing about the mailbox.
    if (error.code !== 'internal' && !isAppFault(error)) await health.failed(channel, 'imap', error)
    throw error
  }
}

/** An idle poll leaves its time this often, so that it shows when the mailbox was last read, for next to nothing. */
const markEveryMs = 3 * 3600_000

async function markRead(
  channel: Channel,
  { isActive }: { isActive: boolean },
  { channels, now }: MailboxServices,
): Promise<void> {
  const isMarked = now() - Date.parse(channel.lastFetchedAt ?? '1970') < markEveryMs
  // What ends a trouble writes anyway: how long it has lasted is exact.
  if (!isActive && isMarked && channel.imapTrouble === null) return
  const at = new Date(now()).toISOString()
  await channels.change(channel.id, {
    lastFetchedAt: at,
    lastActiveAt: isActive ? at : lastActiveAt(channel),
  })
}

/**
 * Exchange refuses some sign-ins only when the mailbox is opened, behind the sign-in itself.
 * @returns what is in the way, once that was looked into; the refusal itself if the next poll has better chances now
 */
async function lookedInto(
  channel: Channel,
  refusal: PostroomError,
  services: MailboxServices,
): Promise<PostroomError> {
  if (refusal.row.action !== 'heal') return refusal
  try {
    await settleRefusal(channel, { protocol: 'imap', refusal }, services)
    return refusal
  } catch (verdict) {
    return asPostroomError(verdict)
  }
}

/** Where the provider gives the owner another name, what else keeps a look from being made is over by then. */
const nameAgainMs = 30 * 60_000

function isProbeDue({ nextProbeAt, disconnectedAt }: Channel, nowMs: number): boolean {
  return disconnectedAt === null && nextProbeAt !== null && Date.parse(nextProbeAt) <= nowMs
}

/**
 * While a setting blocks one protocol, it is tried again by itself; so is a login that the provider has another name for.
 * @returns the channel as it is now: what works goes on at once
 */
async function probedAgain(channel: Channel, services: MailboxServices): Promise<Channel> {
  const { channels, health, queues, now } = services
  try {
    const latest = await lookAgain(channel, services)
    if (mayUse(latest, 'smtp')) await queues.ring(channel.id)
    return latest
  } catch (thrown) {
    const error = asPostroomError(thrown)
    const later = new Date(now() + nameAgainMs).toISOString()
    await channels.change(channel.id, { nextProbeAt: nextProbeAt(channel.access, now()) ?? later })
    // A look that could not be made is in nobody's way: what is, the poll meets by itself.
    if (mayUse(channel, 'imap') && proofIn(error) === null) return channel
    if (error.code !== 'internal' && !isAppFault(error)) await health.failed(channel, 'imap', error)
    throw error
  }
}

/** A session's connection ends this long after the poll's time: a mail that was begun may be finished. */
const finishMs = 20_000

/**
 * Exchange ends a session in the middle when its time is over. What was taken in is behind the cursor already, so the
 * next session goes on where this one stopped, at once; a server that ends that one, too, is left alone.
 */
async function fetchOverSessions(channel: Channel, poll: Poll): Promise<Outcome> {
  try {
    return await fetchNew(channel, poll)
  } catch (error) {
    const hasEnded = asPostroomError(error).code === 'imap_session_ended'
    if (!hasEnded || poll.services.now() > poll.deadlineMs) throw error
    return fetchNew(channel, poll)
  }
}

async function fetchNew(channel: Channel, { services, deadlineMs }: Poll): Promise<Outcome> {
  const { cursors, imap, now } = services
  const lifeMs = Math.max(0, deadlineMs - now()) + finishMs
  const known = new Map<string, Cursor | undefined>()
  const read = async (folder: string) => known.set(folder, await cursors.find(channel.id, folder))
  await Promise.all(channel.folders.map(read))
  const { session, seen } = await signedIn(channel, services, async login => {
    const session = await imap.open(login, { lifeMs, now })
    // Where there is work anyway, a glance would only cost a round trip; but a folder may have gone, INBOX never does.
    const unsure = knownPlaces(channel).filter(
      ({ folder }) => !isInbox(folder) || !isExpected(known.get(folder), now()),
    )
    if (unsure.length === 0) return { session, seen: new Map() }
    try {
      // Exchange lets a token in and says only here that there is no mailbox behind it.
      return { session, seen: await session.glance(unsure.map(({ path }) => path)) }
    } catch (error) {
      session.close()
      throw error
    }
  })
  try {
    const placed = mustLook(channel, seen, now()) ? await lookUpPlaces(channel, session, services) : channel
    const outcome = { ...nothing }
    for (const { folder, path } of knownPlaces(placed)) {
      const state = seen.get(path)
      if (state !== undefined && isIdle(known.get(folder), state, now())) continue
      const result = await readFolder({ channel, folder, path, session, services, deadlineMs })
      outcome.hasTaken ||= result.hasTaken
      outcome.hasMore ||= result.hasMore
    }
    return outcome
  } finally {
    session.close()
  }
}

function isExpected(cursor: Cursor | undefined, now: number): boolean {
  return cursor === undefined || hasWorkLeft(cursor, now)
}

/** A refused login is looked into before it counts: with a fresh token, under the names a fresh id_token gives. */
async function signedIn<T>(
  channel: Channel,
  services: MailboxServices,
  work: (login: ImapLogin) => Promise<T>,
): Promise<T> {
  const { tokens, providers } = services
  const { imap: server } = providerOf(providers, channel.provider)
  const accessToken = await tokens.accessToken(channel)
  try {
    return await work({ server, user: channel.login.imap, accessToken })
  } catch (error) {
    const refusal = asPostroomError(error)
    const healed = await settleRefusal(channel, { protocol: 'imap', refusal }, services)
    return work({ server, user: healed.login.imap, accessToken: await tokens.accessToken(healed) })
  }
}
