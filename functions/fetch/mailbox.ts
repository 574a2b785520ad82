/** One poll of one mailbox: sign in, see what is new, store it mail by mail, and move the cursor behind each. */

import { mayUse, nextProbeAt } from '../channel/access.ts'
import { isAppFault } from '../channel/app-breaker.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import type { ImapLogin } from '../channel/imap.ts'
import type { FolderState } from '../channel/imap-glance.ts'
import type { ImapSession } from '../channel/imap-reader.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import type { Queues } from '../channel/queues.ts'
import { recheck, recheckAfterRefusal } from '../channel/recheck.ts'
import type { Tokens } from '../channel/tokens.ts'
import { hasWorkLeft, isIdle, readFolder } from './folder.ts'
import type { FolderServices } from './reading.ts'

/** How IMAP is spoken: a glance where nothing is expected, a session where there is something to read. */
interface Imap {
  glance(login: ImapLogin, folders: string[]): Promise<Map<string, FolderState | null>>
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
export async function pollMailbox(channel: Channel, poll: Poll): Promise<Outcome> {
  const { channels, health, now } = poll.services
  const { state, until } = channel.connection
  if (channel.nextProbeAt !== null && Date.parse(channel.nextProbeAt) <= now()) {
    await lookAgain(channel, poll.services)
    return nothing
  }
  if (!mayUse(channel, 'imap')) return nothing
  if (state === 'backing_off' && until !== null && Date.parse(until) > now()) return nothing
  try {
    const outcome = await fetchNew(channel, poll)
    // An idle poll leaves no trace, unless somebody waits for it.
    if (outcome.hasTaken || poll.isRequested) {
      await channels.change(channel.id, { lastFetchedAt: new Date(now()).toISOString() })
    }
    await health.succeeded(channel)
    return outcome
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action === 'reconnect') await health.loginRefused(channel, error)
    else if (error.code === 'imap_refuses_login') await health.blocked(channel, 'imap', error)
    // One trouble of the operator's marks no mailbox.
    else if (isAppFault(error)) throw error
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

/** INBOX for every channel. The name is the same everywhere, whatever the language (RFC 3501 5.1). */
const folders = ['INBOX']
/** A session's connection ends this long after the poll's time: a mail that was begun may be finished. */
const finishMs = 20_000

async function fetchNew(channel: Channel, { services, deadlineMs }: Poll): Promise<Outcome> {
  const { cursors, imap, now } = services
  const known = await Promise.all(folders.map(folder => cursors.find(channel.id, folder)))
  // Where there is work anyway, a glance would only cost a connection.
  const isExpected = known.some(cursor => cursor === undefined || hasWorkLeft(cursor, now()))
  let wanted = folders
  if (!isExpected) {
    const seen = await signedIn(channel, services, login => imap.glance(login, folders))
    wanted = folders.filter((folder, index) => !isIdle(known[index], seen.get(folder) ?? null, now()))
  }
  if (wanted.length === 0) return nothing

  const lifeMs = Math.max(0, deadlineMs - now()) + finishMs
  const session = await signedIn(channel, services, login => imap.open(login, { lifeMs, now }))
  try {
    const outcome = { ...nothing }
    for (const folder of wanted) {
      const result = await readFolder({ channel, folder, path: folder, session, services, deadlineMs })
      outcome.hasTaken ||= result.hasTaken
      outcome.hasMore ||= result.hasMore
    }
    return outcome
  } finally {
    await session.close()
  }
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
    if (!(error instanceof PostroomError) || error.code !== 'imap_auth_refused') throw error
    const { channel: healed } = await recheckAfterRefusal(channel, error, services)
    const { state, fault } = healed.access.imap
    if (state === 'blocked') {
      throw new PostroomError('imap_refuses_login', {
        cause: error,
        evidence: fault?.evidence ?? error.evidence,
      })
    }
    return work({ server, user: healed.login.imap, accessToken: await tokens.accessToken(healed) })
  }
}
