/** One poll of one mailbox: sign in, see what is new, store it mail by mail, and move the cursor behind each. */

import { mayUse, nextProbeAt } from '../channel/access.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import { type FolderState, type ImapSession, openImap } from '../channel/imap.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import type { Queues } from '../channel/queues.ts'
import { recheck, recheckAfterRefusal } from '../channel/recheck.ts'
import type { Tokens } from '../channel/tokens.ts'
import type { Cursor, Cursors } from './cursor.ts'
import { type IngestServices, ingest } from './ingest.ts'

export interface MailboxServices extends IngestServices {
  channels: Channels
  tokens: Tokens
  providers: Providers
  health: Health
  cursors: Cursors
  queues: Queues
}

const folder = 'INBOX'
/** One poll takes at most this many mails; the rest comes with the next, so that no mailbox holds up the others. */
const mailsPerPoll = 100
/** After a UIDVALIDITY change, mail of this long before the last known good poll is looked at again. */
const resyncWindowMs = 2 * 24 * 3600_000
const dayMs = 24 * 3600_000

interface Poll {
  services: MailboxServices
  deadlineMs: number
  /** Somebody waits for it, and shall see when it was done. */
  isRequested: boolean
}

export async function pollMailbox(channel: Channel, poll: Poll): Promise<void> {
  const { health, now } = poll.services
  const { state, until } = channel.connection
  if (channel.nextProbeAt !== null && Date.parse(channel.nextProbeAt) <= now()) {
    return lookAgain(channel, poll.services)
  }
  if (!mayUse(channel, 'imap')) return
  if (state === 'backing_off' && until !== null && Date.parse(until) > now()) return
  try {
    const session = await signIn(channel, poll.services)
    try {
      await fetchNew(channel, session, poll)
    } finally {
      await session.close()
    }
    await health.succeeded(channel)
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action === 'reconnect') await health.loginRefused(channel, error)
    else if (error.code === 'imap_refuses_login') await health.blocked(channel, 'imap', error)
    // Exchange says "not connected" also when it is overloaded: only a probe takes it for a setting.
    else if (error.code !== 'internal') await health.unreachable(channel, error)
    throw error
  }
}

/** While a setting blocks one protocol, it is tried again by itself; what works then goes on at once. */
async function lookAgain(channel: Channel, services: MailboxServices): Promise<void> {
  const { channels, queues, now } = services
  if (channel.disconnectedAt !== null) return
  try {
    const { channel: latest } = await recheck(channel, { tryAll: false, dryRun: false }, services)
    if (mayUse(latest, 'smtp')) await queues.ring(channel.id)
  } catch (error) {
    await channels.change(channel.id, { nextProbeAt: nextProbeAt(channel.access, now()) })
    throw error
  }
}

/** A refused login is looked into before it counts: with a fresh token, under the names a fresh id_token gives. */
async function signIn(channel: Channel, services: MailboxServices): Promise<ImapSession> {
  const { tokens, providers } = services
  const { imap: server } = providerOf(providers, channel.provider)
  const accessToken = await tokens.accessToken(channel)
  try {
    return await openImap({ server, user: channel.login.imap, accessToken })
  } catch (error) {
    if (!(error instanceof PostroomError) || error.code !== 'imap_auth_refused') throw error
    const { channel: healed } = await recheckAfterRefusal(channel, error, services)
    const { state, fault } = healed.access.imap
    if (state === 'blocked') {
      throw new PostroomError('imap_refuses_login', {
        cause: error,
        evidence: fault?.evidence ?? error.evidence,
      })
    }
    return openImap({ server, user: healed.login.imap, accessToken: await tokens.accessToken(healed) })
  }
}

async function fetchNew(
  channel: Channel,
  session: ImapSession,
  { services, deadlineMs, isRequested }: Poll,
): Promise<void> {
  const { cursors, channels, now } = services
  const state = await session.open(folder)
  const { uidValidity, uidNext } = state
  const cursor = await currentCursor(channel, { session, state, services })
  // An idle mailbox costs no write: the server says by UIDNEXT that nothing can be there.
  if (uidNext <= cursor.lastUid + 1) {
    if (isRequested) await noteFetched()
    return
  }

  const uids = await session.uidsFrom(cursor.lastUid + 1)
  for (const uid of uids.slice(0, mailsPerPoll)) {
    if (now() > deadlineMs) return
    const mail = await session.fetch(uid)
    const isRenumbered = cursor.resync !== null && uid <= cursor.resync.toUid
    const isOld = isRenumbered && mail && mail.receivedAt < wholeSeconds(cursor.resync?.since ?? 0)
    if (mail && !isOld) {
      await ingest(mail, { channel, folder, uidValidity, skipKnown: isRenumbered, services })
    }
    await cursors.advance(channel.id, folder, { uidValidity, lastUid: uid })
  }
  // What lies between was expunged; left behind, the cursor would make every idle poll look like news.
  if (uids.length <= mailsPerPoll) {
    await cursors.advance(channel.id, folder, { uidValidity, lastUid: uidNext - 1 })
  }
  await noteFetched()

  async function noteFetched(): Promise<void> {
    await channels.change(channel.id, { lastFetchedAt: new Date(now()).toISOString() })
  }
}

/** First poll, another UIDVALIDITY, or as left: where reading goes on. */
async function currentCursor(
  channel: Channel,
  { session, state, services }: { session: ImapSession; state: FolderState; services: MailboxServices },
): Promise<Cursor> {
  const { cursors, now } = services
  const known = await cursors.find(channel.id, folder)
  if (known?.uidValidity === state.uidValidity) return known

  // RFC 3501 2.3.1.1: the old UIDs mean nothing now. Mail that is known by its Message-ID is not told again.
  const windowMs = known ? lastGoodPollMs(channel, now()) - resyncWindowMs : 0
  const since = new Date(Math.max(Date.parse(channel.fetchSince), windowMs))
  const begin = {
    uidValidity: state.uidValidity,
    lastUid: await lastUidBefore(since, session, state),
    resync: known ? { toUid: state.uidNext - 1, since: since.toISOString() } : null,
  }
  await cursors.begin(channel.id, folder, begin)
  return begin
}

function lastGoodPollMs(channel: Channel, nowMs: number): number {
  const last = Date.parse(channel.lastFetchedAt ?? channel.connectedAt)
  return Number.isNaN(last) ? nowMs : last
}

/** The UID after which mail counts as new: right below the first one that arrived at `since` or later. */
async function lastUidBefore(since: Date, session: ImapSession, state: FolderState): Promise<number> {
  if (state.messages === 0) return state.uidNext - 1
  // SEARCH SINCE knows days only, in the server's own time zone; INTERNALDATE knows seconds.
  const uids = await session.uidsSince(new Date(since.getTime() - dayMs))
  const arrivals = await session.arrivals(uids)
  const fresh = arrivals.filter(({ receivedAt }) => receivedAt >= wholeSeconds(since))
  return fresh.length === 0 ? state.uidNext - 1 : Math.min(...fresh.map(({ uid }) => uid)) - 1
}

/** INTERNALDATE has no fractions of seconds; compared with one, a mail would seem to have come before itself. */
function wholeSeconds(time: Date | string | number): Date {
  return new Date(Math.floor(new Date(time).getTime() / 1000) * 1000)
}
