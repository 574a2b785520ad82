/** Tries a token at both mail servers, under every name it might be known by. Sends and reads no mail. */

import { asPostroomError, describeFault, type Fault, type PostroomError } from './faults.ts'
import { glance } from './imap-glance.ts'
import { wireFault } from './imap-wire.ts'
import type { ProviderEntry } from './provider.ts'
import { openSmtp } from './smtp.ts'

export type Protocol = 'imap' | 'smtp'

/** What one server said to one name, with the same token (row S10). */
interface Attempt {
  login: string
  accepted: boolean
  /** The server's answer; it never holds a token. */
  answer: string
  fault: Fault | null
}

export interface ProtocolProbe {
  /** The first name the server accepted. */
  login: string | null
  /** Why none was accepted: null if one was. */
  fault: Fault | null
  /** Whether the server gave a verdict at all: an outage proves nothing about a login. */
  isConclusive: boolean
  /** How long the server asked us to stay away. */
  retryAfterMs?: number | undefined
  attempts: Attempt[]
}

export type Probe = Record<Protocol, ProtocolProbe>

export interface ProbeRequest {
  entry: ProviderEntry
  accessToken: string
  /** Names to try, best first. */
  candidates: Record<Protocol, string[]>
  /** Longest silence of a server; one that hangs costs this once, not once a name. */
  timeoutMs: number
  /** Goes on after a name was accepted, so that a person sees what the server says to each. */
  tryAll?: boolean
}

/** Both protocols at the same time; within each, one name after the other until one is accepted. */
export async function probeMailbox(request: ProbeRequest): Promise<Probe> {
  const { entry, accessToken, candidates, timeoutMs, tryAll = false } = request
  const [imap, smtp] = await Promise.all([
    probeProtocol(candidates.imap, tryAll, async user => {
      // Exchange accepts a token and only then says that there is no mailbox behind it.
      const states = await glance({ server: entry.imap, user, accessToken }, ['INBOX'], {
        silenceMs: timeoutMs,
        lifeMs: timeoutMs * 2,
      })
      if (!states.get('INBOX')) throw wireFault('the server names no state of INBOX')
    }),
    probeProtocol(candidates.smtp, tryAll, async user => {
      const session = await openSmtp({ server: entry.smtp, user, accessToken, timeoutMs })
      session.close()
    }),
  ])
  return { imap, smtp }
}

/** What the server said to the last name. */
export function lastAnswer({ attempts }: ProtocolProbe): string {
  return attempts.at(-1)?.answer ?? 'no answer'
}

async function probeProtocol(
  candidates: string[],
  tryAll: boolean,
  signIn: (login: string) => Promise<void>,
): Promise<ProtocolProbe> {
  const attempts: Attempt[] = []
  let accepted: string | null = null
  let last: PostroomError | undefined
  for (const login of new Set(candidates)) {
    try {
      await signIn(login)
      attempts.push({ login, accepted: true, answer: 'accepted', fault: null })
      accepted ??= login
      if (!tryAll) break
    } catch (thrown) {
      const error = asPostroomError(thrown)
      attempts.push({
        login,
        accepted: false,
        answer: error.evidence ?? error.code,
        fault: describeFault(error),
      })
      last = error
      // Another name helps only where the name was the trouble.
      if (error.row.action !== 'heal') break
    }
  }
  if (accepted !== null) return { login: accepted, fault: null, isConclusive: true, attempts }
  const action = last?.row.action
  return {
    login: null,
    fault: last ? describeFault(last) : null,
    isConclusive: action === 'heal' || action === 'reconnect' || action === 'park',
    retryAfterMs: last?.retryAfterMs,
    attempts,
  }
}
