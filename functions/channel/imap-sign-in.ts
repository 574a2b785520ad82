/** From the greeting to the mailbox: XOAUTH2 in one round trip, and what a refusal of it means. */

import { type Answer, type ImapWire, openWire, type WireLimits, wireFault } from './imap-wire.ts'
import type { MailServer } from './provider.ts'

export interface ImapLogin {
  server: MailServer
  /** A shared mailbox is opened under its own address, with the delegate's token. */
  user: string
  accessToken: string
}

/**
 * Opens a connection and signs in: one round trip after the greeting (two more with STARTTLS).
 * @returns the connection, and what the server says it can do as far as it said so unasked
 * @throws PostroomError `imap_auth_refused`, `imap_unreachable` or what imap-answers.ts makes of the answer
 */
export async function signInToImap(
  login: ImapLogin,
  limits: WireLimits,
): Promise<{ wire: ImapWire; capabilities: string }> {
  const wire = await openWire(login.server, limits)
  try {
    const greeting = await wire.next()
    if (!/^\* OK\b/i.test(greeting.text)) throw wireFault(greeting.text)
    let offered = capabilitiesIn(greeting)
    if (login.server.security === 'starttls') {
      wire.send('t STARTTLS')
      await completion(wire, 't')
      await wire.startTls()
      offered = ''
    }
    return { wire, capabilities: await authenticate(wire, login, offered) }
  } catch (error) {
    wire.close()
    throw error
  }
}

/**
 * Exchange and Gmail take an initial response (RFC 4959) and say so only when asked, which would cost a round
 * trip: it is tried unless the greeting lists what the server can and SASL-IR is not among it.
 */
async function authenticate(wire: ImapWire, login: ImapLogin, offered: string): Promise<string> {
  const response = xoauth2(login)
  const hasInitial = offered === '' || / SASL-IR\b/i.test(offered)
  wire.send(hasInitial ? `a AUTHENTICATE XOAUTH2 ${response}` : 'a AUTHENTICATE XOAUTH2')
  let isSent = hasInitial
  let challenges = 0
  let tag = 'a'
  let capabilities = ''
  for (;;) {
    const answer = await wire.next()
    const { text } = answer
    capabilities = capabilitiesIn(answer) || capabilities
    if (text.startsWith('+')) {
      if (++challenges > 2) throw wireFault('one challenge after another')
      // Gmail explains a refusal in a challenge; the empty answer to it brings the NO.
      wire.send(isSent ? '' : response)
      isSent = true
    } else if (text.startsWith(`${tag} `)) {
      const status = statusOf(text)
      if (status === 'OK') return capabilities
      const isUnknownForm =
        status === 'BAD' && hasInitial && tag === 'a' && /argument|syntax|invalid|unknown|paramet/i.test(text)
      if (!isUnknownForm) throw wireFault(withoutTag(text), { stage: 'auth', status })
      tag = 'b'
      isSent = false
      wire.send('b AUTHENTICATE XOAUTH2')
    } else if (!text.startsWith('* ') || /^\* BYE\b/i.test(text)) throw wireFault(text)
  }
}

/** @see https://developers.google.com/workspace/gmail/imap/xoauth2-protocol */
function xoauth2({ user, accessToken }: ImapLogin): string {
  return Buffer.from(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`).toString('base64')
}

/**
 * Reads up to the tagged answer. @param onData gets every other answer
 * @throws PostroomError if the command is refused, or the server says good-bye
 */
export async function completion(
  wire: ImapWire,
  tag: string,
  onData: (answer: Answer) => void = () => {},
): Promise<void> {
  for (;;) {
    const answer = await wire.next()
    if (isCompletion(answer, tag)) return
    onData(answer)
  }
}

/**
 * Whether this answer ends the command.
 * @throws PostroomError if it refuses the command, or is none of what a server may say here
 */
export function isCompletion({ text }: Answer, tag: string): boolean {
  if (text.startsWith(`${tag} `)) {
    const status = statusOf(text)
    if (status === 'OK') return true
    throw wireFault(withoutTag(text), { stage: 'command', status })
  }
  // Exchange says "Server Unavailable. 15" without any tag, which is no IMAP at all.
  if (!text.startsWith('* ') || /^\* BYE\b/i.test(text)) throw wireFault(text)
  return false
}

function statusOf(text: string): 'OK' | 'NO' | 'BAD' | null {
  const status = (/^\S+ (\S+)/.exec(text)?.[1] ?? '').toUpperCase()
  return status === 'OK' || status === 'NO' || status === 'BAD' ? status : null
}

function withoutTag(text: string): string {
  return text.replace(/^\S+ \S+ ?/, '')
}

function capabilitiesIn({ text }: Answer): string {
  return (/^\* CAPABILITY( .*)$/i.exec(text) ?? /\[CAPABILITY( [^\]]*)\]/i.exec(text))?.[1] ?? ''
}
