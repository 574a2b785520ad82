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

/** As much as one record holds (RFC 8446 5.1), which is what Node hands on at once. */
const recordBytes = 16 * 1024

interface Wishes {
  /** A connection that goes on under TLS; without it a new one is made. */
  over?: Socket
  /** Gets what came, which lies there until it returns: the next piece is read to the same place. */
  onData(piece: Buffer): void
}

export function connectOverTls(
  { host, port }: { host: string; port: number },
  { over, onData }: Wishes,
): TLSSocket {
  const known = knownAt(`${host}:${port}`)
  const { context: secureContext, session } = known
  // RFC 6066 3: no literal address is a server name.
  const servername = isIP(host) === 0 ? host : undefined
  // Node would take new memory for each piece, which in a large mail comes to many times the mail before it is let go.
  const onread = {
    buffer: new Uint8Array(recordBytes),
    callback(bytes: number, place: Uint8Array) {
      onData(Buffer.from(place.buffer, 0, bytes))
      return true
    },
  }
  const way = over ? { socket: over } : { port, onread }
  const socket = connect({ ...way, host, servername, secureContext, session })
  // `onread` is for a connection of its own.
  if (over) socket.on('data', onData)
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
