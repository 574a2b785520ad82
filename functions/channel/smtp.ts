/** The only file that speaks SMTP: one signed-in session, over which one mail after the other is handed over. */

import type { Readable } from 'node:stream'
import type SMTPConnection from 'nodemailer/lib/smtp-connection'
import { evidenceOf } from './evidence.ts'
import { type FaultCode, PostroomError } from './faults.ts'
import type { MailServer } from './provider.ts'
import { type SmtpStage, smtpAnswerFault } from './smtp-answers.ts'

export interface SmtpLogin {
  server: MailServer
  /** At Microsoft the token's UPN; an alias is refused with 535 5.7.3. */
  user: string
  accessToken: string
  /** Longest silence at any stage; a probe is in more of a hurry than a drain. */
  timeoutMs?: number
}

interface Envelope {
  from: string
  to: string[]
  sizeBytes: number
}

interface Accepted {
  /** The server's last line, as evidence. */
  response: string
  /** The Message-ID the server says it stored the mail under (Exchange), without which it is ours. */
  providerMessageId: string | null
  rejected: { address: string; response: string }[]
}

export interface SmtpSession {
  /**
   * Hands one mail over.
   * @param body is read only after the server asked for it, so whoever makes it knows when the first byte leaves
   * @param options.limitMs ends the connection if all is not said by then
   * @throws PostroomError `smtp_unreachable`, `outcome_unknown` if the connection broke after the whole body was
   *   handed over, and what smtp-answers.ts makes of a refusal
   */
  send(envelope: Envelope, body: Readable, options: { limitMs: number }): Promise<Accepted>
  /** False once either side has hung up: we do where a body was refused midway, servers do as they like. */
  isOpen(): boolean
  close(): void
}

const connectTimeoutMs = 30_000
/** RFC 5321 4.5.3.2.6 wants ten minutes after the final dot; a drain has five in all, and asks Sent instead. */
const answerTimeoutMs = 180_000

/** After a refused mail the session is cleared for the next one; a server that hangs up instead is not waited for. */
const resetTimeoutMs = 5_000
/**
 * Our handler's name, not the server's: asked for XOAUTH2 without a token source of its own, nodemailer
 * takes the first mechanism offered instead, which at Exchange and Gmail is LOGIN.
 */
const mechanism = 'POSTROOM-XOAUTH2'

/**
 * @throws PostroomError `smtp_unreachable`, `smtp_temporary`, and of the sign-in `smtp_auth_refused`,
 *   `smtp_disabled`, and whatever else smtp-answers.ts knows
 */
export async function openSmtp(login: SmtpLogin): Promise<SmtpSession> {
  const { server, user, accessToken, timeoutMs } = login
  // nodemailer puts codes of its own on the errors it passes on, so ours does not travel through it.
  let refusal: PostroomError | undefined
  // Only when there is something to send: most cold starts need no SMTP.
  const { default: Connection } = await import('nodemailer/lib/smtp-connection')
  const connection = new Connection({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    requireTLS: server.security === 'starttls',
    connectionTimeout: timeoutMs ?? connectTimeoutMs,
    greetingTimeout: timeoutMs ?? connectTimeoutMs,
    socketTimeout: timeoutMs ?? answerTimeoutMs,
    logger: false,
    customAuth: {
      async [mechanism](context) {
        refusal = await signIn(context.sendCommand, user, accessToken)
        if (refusal) throw new Error('The server refused the sign-in')
      },
    },
  })
  // Errors between two sends arrive here; the next send then fails by itself.
  let broken: unknown
  connection.on('error', error => {
    broken ??= error
  })

  try {
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject)
      connection.once('end', () => reject(broken ?? new Error('connection ended')))
      connection.connect(() =>
        connection.login({ user, method: mechanism }, error => (error ? reject(error) : resolve())),
      )
    })
  } catch (error) {
    connection.close()
    throw refusal ?? connectFault(error)
  }

  return {
    send: (envelope, body, { limitMs }) => send(connection, envelope, { body, limitMs }),
    isOpen: () => !connection.destroyed,
    close: () => connection.quit(),
  }
}

/**
 * SASL XOAUTH2: one line, `user=` U ^A `auth=Bearer ` T ^A ^A in base64, ^A being byte 0x01.
 * Google answers a bad token with 334 and a JSON challenge, and wants an empty line before it says 535;
 * Exchange says 535 at once.
 * @returns what the server said if it refused
 * @see https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
 */
async function signIn(
  sendCommand: (line: string) => Promise<{ response: string }>,
  user: string,
  accessToken: string,
): Promise<PostroomError | undefined> {
  const blob = Buffer.from(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`).toString('base64')
  let { response } = await sendCommand(`AUTH XOAUTH2 ${blob}`)
  if (statusOf(response) === 334) response = (await sendCommand('')).response
  if (statusOf(response) === 235) return undefined
  const fault = smtpAnswerFault({ stage: 'auth', response })
  return new PostroomError(fault, { evidence: evidenceOf(response) })
}

/** RFC 5321 4.2: the code begins every line, also those of a multi-line reply (`535-5.7.8 …`), which Gmail gives. */
function statusOf(response: string): number {
  return Number(/^\d{3}/.exec(response)?.[0] ?? 0)
}

function send(
  connection: SMTPConnection,
  { from, to, sizeBytes }: Envelope,
  { body, limitMs }: { body: Readable; limitMs: number },
): Promise<Accepted> {
  // The error alone cannot tell "never sent" from "maybe sent"; whether our body was read to its end can.
  let bodyHandedOver = false
  body.once('end', () => {
    bodyHandedOver = true
  })
  return new Promise((resolve, reject) => {
    const refuse = (error: unknown) => {
      clearTimeout(limit)
      const fault = sendFault(error, bodyHandedOver)
      // Exchange knows the mail by its Message-ID: an earlier attempt of ours was accepted after all.
      if (fault.code === 'already_accepted')
        return resolve({ response: fault.evidence ?? '', providerMessageId: null, rejected: [] })
      const isBetweenMails = bodyHandedOver || !body.readableDidRead
      if (isAboutMail(fault) && isBetweenMails) return void cleared(connection).then(() => reject(fault))
      // Where a body has begun, nothing but hanging up keeps it from being taken for a whole one.
      connection.close()
      reject(fault)
    }
    const limit = setTimeout(() => refuse(new Error('the time for this mail is over')), limitMs)
    connection.send({ from, to, size: sizeBytes }, body, (error, info) => {
      // Whoever accepts a mail whose end we have not sent has not understood what we said.
      if (error || !bodyHandedOver) return refuse(error)
      clearTimeout(limit)
      resolve({
        response: evidenceOf(info?.response ?? ''),
        providerMessageId: info?.serverMessageId ?? null,
        rejected: (info?.rejectedErrors ?? []).map(refused => ({
          address: String(refused.recipient ?? ''),
          response: evidenceOf(String(refused.response ?? '')),
        })),
      })
    })
  })
}

/** The session goes on after a fault that is this mail's own. */
function isAboutMail({ code, row }: PostroomError): boolean {
  return row.action === 'reject' || row.action === 'retry_once' || code === 'smtp_temporary'
}

/** RFC 5321 4.1.4: an open transaction would make the next MAIL FROM a nested one. */
function cleared(connection: SMTPConnection): Promise<void> {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, resetTimeoutMs)
    const done = () => {
      clearTimeout(timer)
      resolve()
    }
    // On a connection that closes meanwhile, nodemailer never answers the reset.
    connection.once('end', done)
    connection.once('error', done)
    connection.reset(done)
  })
}

/** Whatever a server says before the sign-in, it is no verdict on a login or a mail. */
function connectFault(error: unknown): PostroomError {
  const response = error instanceof Error && 'response' in error ? String(error.response) : undefined
  const fault = response ? smtpAnswerFault({ stage: 'connect', response }) : 'smtp_unreachable'
  const evidence = response ? evidenceOf(response) : errnoOf(error)
  return new PostroomError(fault, { cause: error, evidence })
}

/** Where the server answered, its answer decides; otherwise what we know of how far we came. */
function sendFault(error: unknown, bodyHandedOver: boolean): PostroomError {
  const response = error instanceof Error && 'response' in error ? String(error.response) : ''
  const evidence = response ? evidenceOf(response) : errnoOf(error)
  const fault = faultOf(error, { response, bodyHandedOver })
  return new PostroomError(fault, { cause: error, evidence })
}

function faultOf(
  error: unknown,
  { response, bodyHandedOver }: { response: string; bodyHandedOver: boolean },
): FaultCode {
  const unanswered = bodyHandedOver ? 'outcome_unknown' : 'smtp_unreachable'
  const status = statusOf(response)
  // RFC 5321 4.2.1: only 4yz and 5yz refuse. What else stands where 2yz should is no answer to go by.
  if (status >= 400 && status < 600)
    return smtpAnswerFault({ stage: stageOf(error, bodyHandedOver), response })
  if (response !== '') return unanswered
  // nodemailer's own refusals, before anything was sent: larger than EHLO's SIZE, or no usable recipient.
  if (errnoOf(error) === 'EMESSAGE') return 'smtp_message_too_large'
  return errnoOf(error) === 'EENVELOPE' ? 'smtp_refused' : unanswered
}

function stageOf(error: unknown, bodyHandedOver: boolean): SmtpStage {
  const command = error instanceof Error && 'command' in error ? error.command : undefined
  if (command === 'MAIL FROM') return 'mail'
  if (command === 'RCPT TO') return 'rcpt'
  return bodyHandedOver ? 'body' : 'data'
}

function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'no answer'
}
