/** A real SMTP server (STARTTLS or TLS) that does well until a test's script says what it does instead. */

import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { MailServer } from '../../functions/channel/provider.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { cacheFolder } from './cache.ts'

/** Where in the conversation something happens. `body` is the answer to the final dot, `midBody` before it. */
export type SmtpStage =
  | 'greeting'
  | 'ehlo'
  | 'starttls'
  | 'auth'
  | 'challenge'
  | 'mail'
  | 'rcpt'
  | 'data'
  | 'midBody'
  | 'body'
  | 'rset'
  | 'quit'

/** A reply, the end of the connection, no answer at all, or a reply and then the end. */
export type SmtpAnswer = string | 'drop' | 'silence' | { reply: string; thenDrop: true }

interface ReceivedMail {
  from: string
  to: string[]
  /** As it was before the dots were stuffed. */
  raw: Buffer
}

export interface ScriptedSmtp {
  /** As a provider's entry names it. */
  server: MailServer
  /** By stage: what the next times bring, in order; then the usual. `null` is the usual as well. */
  script: Partial<Record<SmtpStage, (SmtpAnswer | null)[]>>
  /** By stage: what every time brings. */
  always: Partial<Record<SmtpStage, SmtpAnswer>>
  /** By recipient: the answer to RCPT TO. */
  recipients: Record<string, string>
  /** What EHLO tells once TLS is on. */
  extensions: string[]
  /** Accepted mails, in order. */
  mails: ReceivedMail[]
  /** Mails that came whole and were not refused: it may have delivered them, whatever it said or did not say. */
  taken: number
  /** Every command line of every connection; before TLS they are also in `clearLines`. */
  lines: string[]
  clearLines: string[]
  connections: number
  /** Runs before a mail is accepted. */
  beforeAccept: () => Promise<void>
}

export interface ScriptedSmtpOptions {
  security?: 'tls' | 'starttls'
  /** A certificate that nobody trusts, in place of the one the tests trust. */
  certificate?: { key: string; cert: string }
}

/** Starts one that ends with the test. */
export async function startScriptedSmtp(options: ScriptedSmtpOptions = {}): Promise<ScriptedSmtp> {
  const { security = 'starttls', certificate = trustedCertificate() } = options
  const sockets = new Set<Socket>()
  const listener = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).once('close', () => sockets.delete(socket))
    smtp.connections += 1
    const secure = () => new TLSSocket(socket, { isServer: true, ...certificate })
    converse(security === 'tls' ? secure() : socket, { smtp, secure, isSecure: security === 'tls' })
  })
  const port = await listenOnLoopback(listener, 0)
  const smtp: ScriptedSmtp = {
    server: { host: 'localhost', port, security },
    script: {},
    always: {},
    recipients: {},
    extensions: ['SIZE 157286400', '8BITMIME', 'ENHANCEDSTATUSCODES', 'AUTH XOAUTH2'],
    mails: [],
    taken: 0,
    lines: [],
    clearLines: [],
    connections: 0,
    beforeAccept: async () => {},
  }
  onTestFinished(
    () =>
      new Promise(resolve => {
        listener.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  )
  return smtp
}

function trustedCertificate() {
  const folder = join(cacheFolder, 'sandbox')
  return {
    key: readFileSync(join(folder, 'key.pem'), 'utf8'),
    cert: readFileSync(join(folder, 'cert.pem'), 'utf8'),
  }
}

interface Conversation {
  smtp: ScriptedSmtp
  secure(): TLSSocket
  isSecure: boolean
}

function converse(socket: Socket, { smtp, secure, isSecure }: Conversation): void {
  let received = Buffer.alloc(0)
  let mail: Omit<ReceivedMail, 'raw'> = { from: '', to: [] }
  let state: 'command' | 'challenge' | 'body' = 'command'
  socket.on('error', () => {})

  /** Says what the script wants, or the usual. @returns the former, or null */
  function answer(stage: SmtpStage, usual: string): SmtpAnswer | null {
    const scripted = smtp.script[stage]?.shift() ?? smtp.always[stage] ?? null
    if (scripted === 'drop') socket.destroy()
    else if (typeof scripted === 'object' && scripted !== null) socket.end(`${scripted.reply}\r\n`)
    else if (scripted !== 'silence' && (usual !== '' || scripted !== null))
      socket.write(`${scripted ?? usual}\r\n`)
    return scripted
  }

  function onCommand(line: string): void {
    smtp.lines.push(line)
    if (!isSecure) smtp.clearLines.push(line)
    const verb = line.slice(0, 4).toUpperCase()
    if (verb === 'EHLO') answer('ehlo', ehlo())
    else if (verb === 'STAR') {
      if (answer('starttls', '220 2.0.0 SMTP server ready') === null) {
        socket.removeAllListeners('data')
        converse(secure(), { smtp, secure, isSecure: true })
      }
    } else if (verb === 'AUTH') {
      const scripted = smtp.script.auth?.[0] ?? smtp.always.auth
      if (typeof scripted === 'string' && scripted.startsWith('334')) state = 'challenge'
      answer('auth', '235 2.7.0 Authentication successful')
    } else if (verb === 'MAIL') {
      mail = { from: pathOf(line), to: [] }
      answer('mail', '250 2.1.0 Sender OK')
    } else if (verb === 'RCPT') {
      const refused = smtp.recipients[pathOf(line)]
      if (refused !== undefined) socket.write(`${refused}\r\n`)
      else if (answer('rcpt', '250 2.1.5 Recipient OK') === null) mail.to.push(pathOf(line))
    } else if (verb === 'DATA') {
      if (answer('data', '354 Start mail input; end with <CRLF>.<CRLF>') === null) state = 'body'
    } else if (verb === 'RSET') answer('rset', '250 2.0.0 Resetting')
    else if (verb === 'QUIT') {
      if (answer('quit', '221 2.0.0 Service closing transmission channel') === null) socket.end()
    } else socket.write('500 5.3.3 Unrecognized command\r\n')
  }

  function ehlo(): string {
    const extensions = isSecure
      ? smtp.extensions
      : [...smtp.extensions.filter(name => !/^AUTH/.test(name)), 'STARTTLS']
    const lines = ['localhost Hello [127.0.0.1]', ...extensions]
    return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line}`).join('\r\n')
  }

  async function onBody(): Promise<void> {
    const whole = Buffer.concat([Buffer.from('\r\n'), received])
    const end = whole.indexOf('\r\n.\r\n')
    if (end < 0) {
      answer('midBody', '')
      return
    }
    state = 'command'
    const raw = whole
      .subarray(2, end + 2)
      .toString('latin1')
      .replace(/^\.\./gm, '.')
    received = Buffer.from(whole.subarray(end + 5))
    await smtp.beforeAccept()
    const accepted = { ...mail, raw: Buffer.from(raw, 'latin1') }
    const messageId = /^Message-ID: (\S+)/im.exec(raw)?.[1] ?? ''
    const scripted = answer('body', `250 2.0.0 OK ${messageId} [Hostname=TEST.prod.outlook.com]`)
    if (scripted === null) smtp.mails.push(accepted)
    if (!isRefusal(scripted)) smtp.taken += 1
  }

  socket.on('data', chunk => {
    received = Buffer.concat([received, chunk])
    if (state === 'body') return void onBody()
    for (let line = nextLine(); line !== undefined; line = nextLine()) {
      if (state === 'challenge') {
        state = 'command'
        smtp.lines.push(line)
        answer('challenge', '535 5.7.8 Username and Password not accepted - gsmtp')
      } else onCommand(line)
    }
  })

  function nextLine(): string | undefined {
    const end = received.indexOf('\r\n')
    if (state === 'body' || end < 0) return undefined
    const line = received.subarray(0, end).toString('utf8')
    received = Buffer.from(received.subarray(end + 2))
    return line
  }

  // After STARTTLS the conversation goes on where it was.
  if (!isSecure || smtp.server.security === 'tls') {
    answer('greeting', '220 TEST.outlook.office365.com Microsoft ESMTP MAIL Service ready')
  }
}

/** RFC 5321 4.2.1: 4yz and 5yz. */
function isRefusal(answer: SmtpAnswer | null): boolean {
  return /^[45]\d\d/.test(typeof answer === 'object' && answer !== null ? answer.reply : (answer ?? ''))
}

/** The address in `MAIL FROM:<…>` and `RCPT TO:<…>`. */
function pathOf(line: string): string {
  return /<([^>]*)>/.exec(line)?.[1] ?? ''
}
