/** The IMAP server: TLS from the first byte, XOAUTH2 with an initial response only, Exchange's or Gmail's manners. */
import type { Server, Socket } from 'node:net'
import hoodiecrow, { type Attribute, type Command, type Connection, type ImapServer } from 'hoodiecrow-imap'
import { type AccessTokens, gmailScope } from './access-tokens.ts'
import type { Directory } from './directory.ts'
import { listenOnLoopback } from './loopback.ts'
import { type MailboxHolder, ownsAddress } from './personas.ts'
import type { PostOffice } from './post-office.ts'

/** What the server needs. */
export interface ImapSettings {
  certificate: { key: string; cert: string }
  tokens: AccessTokens
  directory: Directory
  postOffice: PostOffice
}

/** A server that listens. `close` ends its connections at once. */
export interface ListeningServer {
  port: number
  close(): Promise<void>
}

/** Starts the server on 127.0.0.1. Port 0 takes any free one. */
export async function startImap(port: number, settings: ImapSettings): Promise<ListeningServer> {
  const front = hoodiecrow({
    secureConnection: true,
    credentials: { key: settings.certificate.key, cert: settings.certificate.cert },
    plugins: ['ID', 'SASL-IR', 'XOAUTH2', 'UIDPLUS', 'NAMESPACE', 'LITERALPLUS'],
    id: { name: 'Postroom sandbox' },
    // Without this the library lets its own test user in.
    users: {},
  })
  front.registerCapability('LOGINDISABLED')
  front.setCommandHandler('LOGIN', (connection, parsed, data, callback) => {
    reply(connection, { parsed, data, command: 'NO', attributes: [text('LOGIN failed.')] })
    callback()
  })
  front.setCommandHandler('AUTHENTICATE XOAUTH2', (connection, parsed, data, callback) => {
    authenticate(parsed, settings)
      .catch(() => refusalOf(undefined))
      .then(verdict => {
        if (verdict.is === 'silence') return
        if (verdict.is === 'refused') refuse(connection, { parsed, data, refusal: verdict })
        else {
          if (verdict.is === 'open') admit(connection, settings.postOffice.mailboxOf(verdict.mailbox).server)
          reply(connection, { parsed, data, command: 'OK', attributes: [text('AUTHENTICATE completed.')] })
          if (verdict.is === 'not connected') leaveUnconnected(connection)
        }
        callback()
      })
  })
  silenceOnDemand(front.server, settings.directory)
  const sockets = new Set<Socket>()
  front.server.on('connection', (socket: Socket) => {
    // Without this a command takes 40 ms, since the library writes an answer in small pieces.
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return {
    port: await listenOnLoopback(front.server, port),
    close: () =>
      new Promise(resolve => {
        front.close(resolve)
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** How a provider refuses: Gmail explains in a challenge first, Exchange just says no. */
interface Refusal {
  is: 'refused'
  challenge: object | null
  attributes: Attribute[]
}

/** What becomes of a login. Without a connection to the mailbox Exchange takes the login and nothing after it. */
type Verdict = { is: 'open'; mailbox: MailboxHolder } | { is: 'not connected' } | { is: 'silence' } | Refusal

function text(value: string): Attribute {
  return { type: 'TEXT', value }
}

function code(name: string): Attribute {
  return { type: 'SECTION', section: [{ type: 'ATOM', value: name }] }
}

/** By whose mailbox was asked for, since one port serves both providers. */
function refusalOf(asked: MailboxHolder | undefined): Refusal {
  if (asked?.provider !== 'google')
    return { is: 'refused', challenge: null, attributes: [text('AUTHENTICATE failed.')] }
  return {
    is: 'refused',
    challenge: { status: '400', schemes: 'Bearer', scope: gmailScope },
    attributes: [code('AUTHENTICATIONFAILED'), text('Invalid credentials (Failure)')],
  }
}

/**
 * Who may open which mailbox. The initial response is base64 of `user=U ^A auth=Bearer T ^A ^A` with ^A = 0x01.
 * Exchange takes any address of the token owner's mailbox as U over IMAP, unlike over SMTP, and that of a shared
 * mailbox. Who has no access to a shared one finds out after the login.
 *
 * @see https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
 */
async function authenticate(parsed: Command, { tokens, directory }: ImapSettings): Promise<Verdict> {
  const response = Buffer.from(parsed.attributes?.[0]?.value ?? '', 'base64').toString('utf8')
  const [userField = '', authField = '', ...end] = response.split('\u0001')
  const user = /^user=(.+)$/i.exec(userField)?.[1] ?? ''
  const token = end.join() === ',' ? (/^auth=Bearer (.+)$/i.exec(authField)?.[1] ?? '') : ''
  const asked = directory.holderOf(user)
  const owner =
    asked?.provider === 'google'
      ? await tokens.googleOwner(token)
      : await tokens.microsoftOwner(token, 'IMAP.AccessAsUser.All')
  if (!owner || !asked) return refusalOf(asked)
  if (asked.kind === 'person' && !ownsAddress(owner, user)) return refusalOf(asked)
  const fault = directory.scriptOf(owner)?.imap
  if (fault?.what === 'hang') return { is: 'silence' }
  if (fault?.what === 'refuse') return refusalOf(asked)
  if (fault?.what === 'alert')
    return { is: 'refused', challenge: null, attributes: [code('ALERT'), text(fault.text)] }
  const barred = asked.kind === 'shared' && !asked.fullAccess.includes(owner.id)
  return fault || barred ? { is: 'not connected' } : { is: 'open', mailbox: asked }
}

/** Nobody is known yet when a greeting is due, so one persona's script silences the server for all. */
function silenceOnDemand(server: Server, directory: Directory): void {
  const greeters = server.listeners('secureConnection')
  server.removeAllListeners('secureConnection')
  server.on('secureConnection', (socket: Socket) => {
    if (directory.scriptsInUse().some(({ script }) => script.imap?.what === 'hang'))
      socket.on('error', () => {})
    else for (const greet of greeters) greet.call(server, socket)
  })
}

/**
 * Exchange's way to say that it will not open the mailbox: CAPABILITY is answered, the first two other commands are
 * BAD, and then it hangs up.
 *
 * @see https://github.com/jstedfast/MailKit/issues/1496
 */
function leaveUnconnected(connection: Connection): void {
  connection.state = 'Authenticated'
  let refused = 0
  connection.inputHandler = line => {
    const [tag = '*', command = ''] = line.split(' ')
    if (command.toUpperCase() === 'CAPABILITY') return connection.scheduleCommand(line)
    refused += 1
    connection.socket?.write(`${tag} BAD User is authenticated but not connected.\r\n`)
    if (refused === 2) connection.socket?.end('* BYE Connection closed. 14\r\n')
  }
}

/** Moves the connection to the mailbox's own instance, which serves everything from here on. */
function admit(connection: Connection, mailbox: ImapServer): void {
  connection.server.removeListener('notify', connection._notificationCallback)
  connection.server = mailbox
  if (connection.socket) connection.server.on('notify', connection._notificationCallback)
  connection.state = 'Authenticated'
}

function refuse(
  connection: Connection,
  { parsed, data, refusal }: { parsed: Command; data: string; refusal: Refusal },
): void {
  const { challenge, attributes } = refusal
  const no = () => reply(connection, { parsed, data, command: 'NO', attributes })
  if (challenge === null) {
    no()
    return
  }
  connection.socket?.write(`+ ${Buffer.from(JSON.stringify(challenge)).toString('base64')}\r\n`)
  connection.inputHandler = () => {
    connection.inputHandler = false
    no()
  }
}

function reply(
  connection: Connection,
  answer: { parsed: Command; data: string; command: 'OK' | 'NO'; attributes: Attribute[] },
): void {
  const { parsed, data, command, attributes } = answer
  connection.send({ tag: parsed.tag, command, attributes }, 'AUTHENTICATE XOAUTH2', parsed, data)
}
