/** A connection by imapflow, for what is rare: looking through a folder, filing a mail, taking one away. */

import type { ImapFlow, ImapFlowError } from 'imapflow'
import { evidenceOf } from './evidence.ts'
import { PostroomError } from './faults.ts'
import { imapAnswerFault, suggestedWaitMs } from './imap-answers.ts'
import type { ImapLogin } from './imap-sign-in.ts'

const silenceMs = 20_000

/**
 * @param timeoutMs longest silence at any stage
 * @returns a connection that is signed in; whoever takes it ends it with `endImapFlow`
 * @throws whatever imapflow throws
 */
export async function connectImapFlow(
  login: ImapLogin,
  { timeoutMs = silenceMs }: { timeoutMs?: number } = {},
): Promise<ImapFlow> {
  const { server, user, accessToken } = login
  // Loaded only now: most invocations never need it.
  const { ImapFlow: Client } = await import('imapflow')
  const client = new Client({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    doSTARTTLS: server.security === 'starttls' ? true : undefined,
    auth: { user, accessToken },
    logger: false,
    disableAutoIdle: true,
    // Exchange's 2026 front end breaks SEARCH and LIST once rev2 is enabled.
    disableIMAP4rev2: true,
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
  })
  // An EventEmitter without a listener would end the process when the socket breaks between two commands.
  client.on('error', () => {})
  try {
    await client.connect()
    return client
  } catch (error) {
    client.close()
    throw error
  }
}

/** Says LOGOUT where that is still possible, and leaves no socket behind on any path. */
export async function endImapFlow(client: ImapFlow): Promise<void> {
  await client.logout().catch(() => undefined)
  client.close()
}

/** By SPECIAL-USE (RFC 6154), else by the names that mail programs and providers give it, in their languages. */
export async function sentPath(client: ImapFlow): Promise<string> {
  const sent = (await client.list()).filter(({ specialUse }) => specialUse === '\\Sent')
  // Where both are there, what the server says counts more than what a name suggests.
  const best = sent.find(({ specialUseSource }) => specialUseSource === 'extension') ?? sent[0]
  if (best) return best.path
  throw new Error('the mailbox has no Sent folder')
}

/**
 * What imapflow throws, as a fault of the table: Exchange's throttling with its wait, what the server said to a command,
 * else a connection that broke. A refused sign-in is no verdict here: the next poll looks into that.
 */
export function imapFlowFault(error: unknown): PostroomError {
  const { responseStatus, serverResponseCode, responseText, throttleReset, message } =
    error as Partial<ImapFlowError>
  const text = responseText ?? message ?? String(error)
  const isAnswer = responseStatus === 'NO' || responseStatus === 'BAD'
  const code = imapAnswerFault({
    stage: 'command',
    status: isAnswer ? responseStatus : null,
    code: serverResponseCode ?? null,
    text,
  })
  const retryAfterMs = throttleReset ?? suggestedWaitMs(text)
  return new PostroomError(code, { cause: error, evidence: evidenceOf(text), retryAfterMs })
}
