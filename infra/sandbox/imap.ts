/** The IMAP server: TLS from the first byte, XOAUTH2 with an initial response only, Exchange's or Gmail's manners. */
import type { Socket } from 'node:net'
import hoodiecrow, { type Attribute, type Command, type Connection, type ImapServer } from 'hoodiecrow-imap'
import { type AccessTokens, gmailScope } from './access-tokens.ts'
import { listenOnLoopback } from './loopback.ts'
import { ownsAddress, type Persona, personaByAddress } from './personas.ts'
import type { PostOffice } from './post-office.ts'

/** What the server needs. */
export interface ImapSettings {
  certificate: { key: string; cert: string }
  tokens: AccessTokens
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
      .then(result =>
        result.owner ? admit(connection, settings.postOffice.mailboxOf(result.owner).server) : result,
      )
      .catch(() => refusalOf(undefined))
      .then(result => {
        if (result) refuse(connection, { parsed, data, refusal: result })
        else reply(connection, { parsed, data, command: 'OK', attributes: [text('AUTHENTICATE completed.')] })
        callback()
      })
  })
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
  owner: undefined
  challenge: object | null
  attributes: Attribute[]
}

function text(value: string): Attribute {
  return { type: 'TEXT', value }
}

/** By whose mailbox was asked for, since one port serves both providers. */
function refusalOf(asked: Persona | undefined): Refusal {
  if (asked?.provider !== 'google')
    return { owner: undefined, challenge: null, attributes: [text('AUTHENTICATE failed.')] }
  const code: Attribute = { type: 'SECTION', section: [{ type: 'ATOM', value: 'AUTHENTICATIONFAILED' }] }
  return {
    owner: undefined,
    challenge: { status: '400', schemes: 'Bearer', scope: gmailScope },
    attributes: [code, text('Invalid credentials (Failure)')],
  }
}

/**
 * Who may open which mailbox. The initial response is base64 of `user=U ^A auth=Bearer T ^A ^A` with ^A = 0x01.
 * Exchange takes any address of the token owner's mailbox as U over IMAP, unlike over SMTP.
 *
 * @see https://learn.microsoft.com/en-us/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
 */
async function authenticate(
  parsed: Command,
  { tokens }: ImapSettings,
): Promise<{ owner: Persona } | Refusal> {
  const response = Buffer.from(parsed.attributes?.[0]?.value ?? '', 'base64').toString('utf8')
  const [userField = '', authField = '', ...end] = response.split('\u0001')
  const user = /^user=(.+)$/i.exec(userField)?.[1] ?? ''
  const token = end.join() === ',' ? (/^auth=Bearer (.+)$/i.exec(authField)?.[1] ?? '') : ''
  const asked = personaByAddress(user)
  const owner =
    asked?.provider === 'google'
      ? await tokens.googleOwner(token)
      : await tokens.microsoftOwner(token, 'IMAP.AccessAsUser.All')
  return owner && ownsAddress(owner, user) ? { owner } : refusalOf(asked)
}

/** Moves the connection to the mailbox's own instance, which serves everything from here on. */
function admit(connection: Connection, mailbox: ImapServer): undefined {
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
