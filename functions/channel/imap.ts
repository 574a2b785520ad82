/** The only file that speaks IMAP. It peeks: flags are never touched. */

import { type FetchMessageObject, ImapFlow } from 'imapflow'
import { evidenceOf } from './evidence.ts'
import { PostroomError } from './faults.ts'
import { imapAnswerFault, suggestedWaitMs } from './imap-answers.ts'
import type { MailServer } from './provider.ts'

export interface ImapLogin {
  server: MailServer
  /** A shared mailbox is opened under its own address, with the delegate's token. */
  user: string
  accessToken: string
  /** Longest silence at any stage; a probe is in more of a hurry than a poll. */
  timeoutMs?: number
}

export interface FolderState {
  /** RFC 3501 2.3.1.1: when it changes, every UID known so far means nothing. */
  uidValidity: string
  uidNext: number
  messages: number
}

export interface FetchedMail {
  uid: number
  receivedAt: Date
  raw: Uint8Array
}

export interface ImapSession {
  open(folder: string): Promise<FolderState>
  /** UIDs from `fromUid` up, ascending. */
  uidsFrom(fromUid: number): Promise<number[]>
  /** UIDs of mail that arrived on this day or later, by the server's calendar, ascending. */
  uidsSince(day: Date): Promise<number[]>
  /** When each mail arrived. */
  arrivals(uids: number[]): Promise<{ uid: number; receivedAt: Date }[]>
  /** One mail with its raw bytes. @returns undefined if it was expunged meanwhile */
  fetch(uid: number): Promise<FetchedMail | undefined>
  /** Says LOGOUT where that is still possible, and leaves no socket behind on any path. */
  close(): Promise<void>
}

const connectTimeoutMs = 15_000
const answerTimeoutMs = 60_000

/** @throws PostroomError `imap_unreachable`, `imap_auth_refused`, and whatever else imap-answers.ts knows */
export async function openImap(login: ImapLogin): Promise<ImapSession> {
  const { server, user, accessToken, timeoutMs } = login
  const client = new ImapFlow({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    doSTARTTLS: server.security === 'starttls' ? true : undefined,
    auth: { user, accessToken },
    logger: false,
    disableAutoIdle: true,
    // Exchange's 2026 front end breaks SEARCH and LIST once rev2 is enabled.
    disableIMAP4rev2: true,
    connectionTimeout: timeoutMs ?? connectTimeoutMs,
    greetingTimeout: timeoutMs ?? connectTimeoutMs,
    socketTimeout: timeoutMs ?? answerTimeoutMs,
  })
  // An EventEmitter without a listener would end the process when the socket breaks between two commands.
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    client.close()
    throw imapFault(error)
  }

  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw imapFault(error)
    }
  }

  return {
    open: folder =>
      guarded(async () => {
        const mailbox = await client.mailboxOpen(folder, { readOnly: true })
        return {
          uidValidity: String(mailbox.uidValidity),
          uidNext: mailbox.uidNext,
          messages: mailbox.exists,
        }
      }),

    // `n:*` always holds the newest mail, even if its UID is below n (RFC 3501 6.4.8).
    uidsFrom: fromUid =>
      guarded(async () => {
        const found = await client.search({ uid: `${fromUid}:*` }, { uid: true })
        return ascending(found).filter(uid => uid >= fromUid)
      }),

    uidsSince: day => guarded(async () => ascending(await client.search({ since: day }, { uid: true }))),

    arrivals: uids =>
      guarded(async () => {
        if (uids.length === 0) return []
        const mails = await client.fetchAll(uids, { uid: true, internalDate: true }, { uid: true })
        return mails.map(mail => ({ uid: mail.uid, receivedAt: arrivalOf(mail) }))
      }),

    fetch: uid =>
      guarded(async () => {
        const mail = await client.fetchOne(
          String(uid),
          { uid: true, internalDate: true, source: true },
          { uid: true },
        )
        if (!mail || mail.source === undefined) return undefined
        return { uid, receivedAt: arrivalOf(mail), raw: mail.source }
      }),

    async close() {
      await client.logout().catch(() => undefined)
      client.close()
    },
  }
}

function ascending(uids: number[] | false | undefined): number[] {
  return [...(uids || [])].sort((a, b) => a - b)
}

function arrivalOf(mail: FetchMessageObject): Date {
  const date = mail.internalDate instanceof Date ? mail.internalDate : new Date(mail.internalDate ?? 0)
  return Number.isNaN(date.getTime()) ? new Date(0) : date
}

/**
 * imapflow's errors: `responseStatus` and `responseText` of a command the server refused, `reason` of a BYE,
 * `code` of a broken connection. `authenticationFailed` alone says nothing: a socket that drops in the middle
 * of the sign-in is no refusal.
 */
function imapFault(error: unknown): PostroomError {
  const detail = (name: string) =>
    error instanceof Error && name in error ? Reflect.get(error, name) : undefined
  const status = detail('responseStatus')
  const said = [detail('responseText'), detail('response'), detail('reason'), detail('code')].find(
    value => typeof value === 'string' && value !== '',
  )
  const text = String(said ?? 'no answer')
  const code = detail('serverResponseCode')
  const fault = imapAnswerFault({
    stage: detail('authenticationFailed') === true ? 'auth' : 'command',
    status: status === 'NO' || status === 'BAD' ? status : null,
    code: typeof code === 'string' ? code : null,
    text,
  })
  return new PostroomError(fault, {
    cause: error,
    evidence: evidenceOf(text),
    retryAfterMs: suggestedWaitMs(text),
  })
}
