/**
 * TLS connections that cost half of what the first to a server did. A batch of mailboxes meets the same server again and
 * again, and the handshake is the larger part of an idle poll: what a process keeps of it is in memory only, belongs to
 * the server and to nobody's mailbox, and needs no second look at the server's certificate (RFC 8446 2.2).
 */

import { isIP, type Socket } from 'node:net'
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'

interface Known {
  /** Holds the authorities that are trusted: a tenth of a millisecond or two to build, for each connection without it. */
  context: SecureContext
  /** What the server gave last, for the next connection. Node tells it only once the certificate was found good. */
  session: Buffer | undefined
}

/** By host and port, of which there are as many as providers. */
const knownServers = new Map<string, Known>()

/** @param over a connection that goes on under TLS; without it a new one is made */
export function connectOverTls({ host, port }: { host: string; port: number }, over?: Socket): TLSSocket {
  const known = knownAt(`${host}:${port}`)
  const { context: secureContext, session } = known
  // RFC 6066 3: no literal address is a server name.
  const servername = isIP(host) === 0 ? host : undefined
  const socket = connect({
    ...(over ? { socket: over } : { port }),
    host,
    servername,
    secureContext,
    session,
  })
  let isSecure = false
  socket.once('secureConnect', () => {
    isSecure = true
  })
  socket.on('session', (given: Buffer) => {
    known.session = given
  })
  // A server that cannot go on from what it gave must not be lost for as long as this process lives.
  socket.once('close', () => {
    if (!isSecure && known.session === session) known.session = undefined
  })
  return socket
}

function knownAt(place: string): Known {
  const known = knownServers.get(place) ?? { context: createSecureContext(), session: undefined }
  knownServers.set(place, known)
  return known
}
