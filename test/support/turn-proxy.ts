/** Lies between a client and a mail server, and counts what the client waits for and writes: outside TLS, as the network has it. */

import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'

interface Turns {
  connections: number
  /**
   * One for the connection itself, and one for everything of the server's after which the client went on: its answers to a
   * TLS handshake, its greeting, its answers. A good-bye for which nobody waits is none.
   */
  roundTrips: number
  /** Without the headers of TCP and IP. */
  bytesOut: number
}

export interface TurnProxy {
  port: number
  /** Once every client has left. @returns what came since the last time */
  turns(): Promise<Turns>
}

export async function startTurnProxy(target: { port: number }): Promise<TurnProxy> {
  let counts: Turns = { connections: 0, roundTrips: 0, bytesOut: 0 }
  const open = new Set<Socket>()
  const listener = createServer(client => {
    counts.connections += 1
    counts.roundTrips += 1
    open.add(client)
    const server = connect({ host: '127.0.0.1', port: target.port })
    let hasServerSpoken = false
    client.on('data', chunk => {
      counts.bytesOut += chunk.byteLength
      if (hasServerSpoken) counts.roundTrips += 1
      hasServerSpoken = false
      server.write(chunk)
    })
    server.on('data', chunk => {
      hasServerSpoken = true
      client.write(chunk)
    })
    client.on('end', () => server.end())
    server.on('end', () => client.end())
    for (const socket of [client, server]) socket.setNoDelay(true).on('error', () => {})
    client.once('close', () => {
      server.destroy()
      open.delete(client)
    })
    server.once('close', () => client.destroy())
  })
  const port = await listenOnLoopback(listener, 0)
  onTestFinished(() => {
    listener.close()
    for (const socket of open) socket.destroy()
  })
  return {
    port,
    async turns() {
      await Promise.all([...open].map(socket => once(socket, 'close')))
      const seen = counts
      counts = { connections: 0, roundTrips: 0, bytesOut: 0 }
      return seen
    },
  }
}
