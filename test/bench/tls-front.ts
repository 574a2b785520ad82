/** TLS before an engine that speaks plain HTTP: as AWS is called, and without what Node loads for plain HTTP. */

import { request } from 'node:http'
import { createServer } from 'node:https'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'

export interface TlsFront {
  url: string
  close(): void
}

export async function startTlsFront(
  target: string,
  certificate: { key: string; cert: string },
): Promise<TlsFront> {
  const { hostname, port, host } = new URL(target)
  const server = createServer(certificate, (incoming, outgoing) => {
    const { method, url: path, headers } = incoming
    // An engine answers nobody who calls it by another name, as a page of another site might.
    const behind = request({ hostname, port, method, path, headers: { ...headers, host } }, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    })
    behind.once('error', error => outgoing.destroy(error))
    incoming.pipe(behind)
  })
  const ownPort = await listenOnLoopback(server, 0)
  return {
    url: `https://127.0.0.1:${ownPort}`,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
