/** The submission servers: Exchange (STARTTLS) for Microsoft's people, Gmail (implicit TLS) for Google's. XOAUTH2 only. */
import { randomBytes } from 'node:crypto'
import type { SMTPServerDataStream, SMTPServerSession } from 'smtp-server'
import { type AccessTokens, gmailScope } from './access-tokens.ts'
import type { Directory } from './directory.ts'
import type { ListeningServer } from './imap.ts'
import { listenOnLoopback } from './loopback.ts'
import { newMessageId, prependHeader, readMail } from './mail.ts'
import { ownsAddress, type Persona, type ProviderId } from './personas.ts'
import type { PostOffice } from './post-office.ts'
import { SubmissionServer } from './submission-server.ts'

/** What both servers need. */
export interface SmtpSettings {
  certificate: { key: string; cert: string }
  tokens: AccessTokens
  directory: Directory
  postOffice: PostOffice
  now(): number
}

/** What differs between the providers' servers. */
interface Manners {
  provider: ProviderId
  implicitTls: boolean
  banner: string
  /** What EHLO tells; Exchange refuses far below it, after DATA. */
  announcedBytes: number
  limitBytes: number
  tooLarge: string
  /** Whose token this is, if `user=` may go with it. */
  login(user: string, token: string): Promise<Persona | undefined>
  /**
   * The refusal of a login: a reply at once, or Gmail's challenge, which the client has to answer first.
   *
   * @param text Exchange's enhanced code and words, null for those that tell no reason
   */
  refuseLogin(text: string | null): { error: Error } | { challenge: object }
  /** The bytes to keep, or a refusal, for a mail that is not from the sender. */
  foreignFrom(sender: Persona, raw: Buffer): Buffer
  accepted(messageId: string): string
}

/** Starts the Exchange server on 127.0.0.1. Port 0 takes any free one. */
export function startExchangeSmtp(port: number, settings: SmtpSettings): Promise<ListeningServer> {
  const host = 'SANDBOX.EXCHANGE.example'
  return start(port, settings, {
    provider: 'microsoft',
    implicitTls: false,
    banner: 'Microsoft ESMTP MAIL Service ready',
    announcedBytes: 157_286_400,
    limitBytes: 35 * 1024 * 1024,
    tooLarge: '5.3.4 Message size exceeds fixed maximum message size',
    // Only the UPN will do, whatever other addresses the mailbox has: the founding story's rule.
    login: async (user, token) => {
      const owner = await settings.tokens.microsoftOwner(token, 'SMTP.Send')
      return owner?.signInName.toLowerCase() === user.toLowerCase() ? owner : undefined
    },
    refuseLogin: text => {
      const id = randomBytes(8).toString('hex').toUpperCase()
      const stamp = `[${host} ${new Date(settings.now()).toISOString()} ${id}]`
      return { error: smtpError(535, `${text ?? '5.7.3 Authentication unsuccessful'} ${stamp}`) }
    },
    foreignFrom: sender => {
      throw smtpError(
        554,
        `5.2.252 SendAsDenied; ${sender.signInName} not allowed to send as this address; STOREDRV.Submission.Exception`,
      )
    },
    accepted: messageId => `2.0.0 OK ${messageId} [Hostname=${host}]`,
  })
}

/** Starts the Gmail server on 127.0.0.1. Port 0 takes any free one. */
export function startGmailSmtp(port: number, settings: SmtpSettings): Promise<ListeningServer> {
  const queueId = () => `${randomBytes(8).toString('hex')}-sandbox.${randomBytes(2).readUInt16BE()}`
  return start(port, settings, {
    provider: 'google',
    implicitTls: true,
    banner: 'gsmtp',
    announcedBytes: 35_882_577,
    limitBytes: 25 * 1024 * 1024,
    tooLarge: "5.2.3 Your message exceeded Google's message size limits - gsmtp",
    login: async (user, token) => {
      const owner = await settings.tokens.googleOwner(token)
      return owner?.signInName.toLowerCase() === user.toLowerCase() ? owner : undefined
    },
    refuseLogin: () => ({ challenge: { status: '400', schemes: 'Bearer', scope: gmailScope } }),
    // Gmail does not refuse: it writes the account's own address there and keeps the other one beside it.
    foreignFrom: (sender, raw) => {
      const text = raw.toString('latin1')
      const own = `From: ${sender.signInName}\r\n`
      return Buffer.from(
        /^From:/im.test(text) ? text.replace(/^From:/im, `${own}X-Google-Original-From:`) : own + text,
        'latin1',
      )
    },
    accepted: () => `2.0.0 OK  ${Math.floor(settings.now() / 1000)} ${queueId()} - gsmtp`,
  })
}

async function start(port: number, settings: SmtpSettings, manners: Manners): Promise<ListeningServer> {
  const server = new SubmissionServer({
    name: 'localhost',
    banner: manners.banner,
    heloResponse: '%s Hello [127.0.0.1]',
    secure: manners.implicitTls,
    key: settings.certificate.key,
    cert: settings.certificate.cert,
    authMethods: ['XOAUTH2'],
    size: manners.announcedBytes,
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    logger: false,
    closeTimeout: 100,
    // AUTH is neither shown nor taken before TLS.
    onConnect: (session, callback) => {
      session.disabledCommands = manners.implicitTls ? [] : ['AUTH']
      callback()
    },
    onSecure: (_socket, session, callback) => {
      session.disabledCommands = []
      callback()
    },
    onAuth: ({ username = '', accessToken = '' }, _session, callback) => {
      manners
        .login(username, accessToken)
        .catch(() => undefined)
        .then(owner => {
          const script = owner && settings.directory.scriptOf(owner)?.smtp
          const fault = script?.what === 'refuse mail' ? undefined : script
          if (owner && !fault) return callback(null, { user: owner.id })
          // Silence for somebody who was greeted before the script was chosen.
          if (fault?.what === 'hang') return
          const refusal = manners.refuseLogin(fault?.text ?? null)
          if ('error' in refusal) callback(refusal.error)
          else callback(null, { data: refusal.challenge })
        })
    },
    onData: (stream, session, callback) => {
      accept({ stream, session, settings, manners }).then(
        reply => callback(null, reply),
        error =>
          callback(
            'responseCode' in error ? error : smtpError(451, '4.3.0 The sandbox failed to store the message'),
          ),
      )
    },
  })
  // Nobody is known yet when a greeting is due, so one persona's script silences the server for all.
  server.isSilent = () =>
    settings.directory
      .scriptsInUse()
      .some(({ provider, script }) => provider === manners.provider && script.smtp?.what === 'hang')
  // A client that goes away in the middle is no concern of the sandbox.
  server.on('error', () => {})
  return {
    port: await listenOnLoopback(server.server, port),
    close: () =>
      new Promise(resolve => {
        server.close(resolve)
        server.endSilent()
      }),
  }
}

/** Decides at the end of DATA, as both providers do, and stores the mail before it says so. */
async function accept(of: {
  stream: SMTPServerDataStream
  session: SMTPServerSession
  settings: SmtpSettings
  manners: Manners
}): Promise<string> {
  const { stream, session, settings, manners } = of
  const sender = settings.directory.personas().find(({ id }) => id === session.user)
  let raw = await readAtMost(stream, manners.limitBytes)
  if (raw === undefined) throw smtpError(552, manners.tooLarge)
  if (!sender) throw smtpError(530, '5.7.57 Client not authenticated to send mail')
  const fault = settings.directory.scriptOf(sender)?.smtp
  if (fault?.what === 'refuse mail') throw smtpError(fault.status, fault.text)
  const { from, messageId: given } = await readMail(raw)
  const messageId = given ?? newMessageId('sandbox.example')
  if (given === null) raw = prependHeader(raw, `Message-ID: ${messageId}`)
  const own = from.length > 0 && from.every(({ address }) => maySendAs(sender, { address, settings }))
  if (!own) raw = manners.foreignFrom(sender, raw)
  settings.postOffice.submit(sender, {
    raw,
    recipients: session.envelope.rcptTo.map(({ address }) => address),
  })
  return manners.accepted(messageId)
}

/** As an address of their own mailbox, or of a shared one that lets them. */
function maySendAs(
  sender: Persona,
  { address, settings }: { address: string; settings: SmtpSettings },
): boolean {
  const holder = settings.directory.holderOf(address)
  return holder?.kind === 'shared' ? holder.sendAs.includes(sender.id) : ownsAddress(sender, address)
}

/** Reads to the end in any case, since the client listens only then; undefined if it was more. */
async function readAtMost(stream: SMTPServerDataStream, limitBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += chunk.length
    if (bytes <= limitBytes) chunks.push(chunk)
  }
  return bytes <= limitBytes ? Buffer.concat(chunks) : undefined
}

/** smtp-server answers with an error's code and text. */
function smtpError(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode })
}
