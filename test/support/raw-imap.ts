/** A plain TCP server behind TLS that says exactly the bytes a test wants, when it wants. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { MailServer } from '../../functions/channel/provider.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { cacheFolder } from './cache.ts'

export interface RawImap {
  server: MailServer
  /** Lines the client sent, over all connections. */
  lines: string[]
  /** Bursts of lines: each is what came with one write. */
  bursts: string[][]
  open(): number
  connections: number
}

/**
 * @param answer called for each line; the text goes out as it is, null hangs up
 * @param greeting sent first
 */
export async function startRawImap(
  greeting: string | Buffer,
  answer: (line: string, socket: TLSSocket) => string | null | undefined,
  onConnection: (socket: TLSSocket) => void = () => {},
): Promise<RawImap> {
  const folder = join(cacheFolder, 'sandbox')
  const sockets = new Set<TLSSocket>()
  const listener = createServer(
    { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
    socket => {
      sockets.add(socket)
      raw.connections += 1
      socket.setNoDelay(true)
      socket.on('error', () => {}).once('close', () => sockets.delete(socket))
      socket.write(greeting)
      onConnection(socket)
      let text = ''
      socket.on('data', chunk => {
        text += chunk
        const lines = text.split('\r\n')
        text = lines.pop() ?? ''
        if (lines.length > 0) raw.bursts.push(lines)
        for (const line of lines) {
          raw.lines.push(line)
          const said = answer(line, socket)
          if (said === null) socket.destroy()
          else if (said) socket.write(said)
        }
      })
    },
  )
  const port = await listenOnLoopback(listener, 0)
  const raw: RawImap = {
    server: { host: 'localhost', port, security: 'tls' },
    lines: [],
    bursts: [],
    connections: 0,
    open: () => sockets.size,
  }
  onTestFinished(
    () =>
      new Promise(resolve => {
        for (const socket of sockets) socket.destroy()
        listener.close(() => resolve())
      }),
  )
  return raw
}
