/** A look by imapflow whether a sign-in opens a mailbox. What is done every minute is written out in imap-glance.ts. */

import { ImapFlow } from 'imapflow'
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

interface ImapClient {
  /** Whether there is a mailbox behind the sign-in; Exchange says only now if not. */
  open(folder: string): Promise<{ uidValidity: string; messages: number }>
  /** Says LOGOUT where that is still possible, and leaves no socket behind on any path. */
  close(): Promise<void>
}

const connectTimeoutMs = 15_000
const answerTimeoutMs = 60_000

/** @throws PostroomError `imap_unreachable`, `imap_auth_refused`, and whatever else imap-answers.ts knows */
export async function openImap(login: ImapLogin): Promise<ImapClient> {
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
          messages: mailbox.exists,
        }
      }),

    async close() {
      await client.logout().catch(() => undefined)
      client.close()
    },
  }
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
