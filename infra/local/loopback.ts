/** Listening on this machine only: binds servers to 127.0.0.1 and tells local callers from web pages. */

import type { IncomingMessage, Server } from 'node:http'
import { errorCodeOf, LocalError } from './local-error.ts'

export const loopbackAddress = '127.0.0.1'

/**
 * Binds a server to 127.0.0.1.
 * @param port 0 takes any free one
 * @returns the port taken
 * @throws LocalError that names the port if it is in use or may not be bound
 */
export async function listenOnLoopback(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, loopbackAddress, () => {
      server.off('error', reject)
      resolve()
    })
  }).catch(error => {
    throw portError(port, error)
  })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

/** Turns the error of a failed `listen` into a sentence that names the port. */
export function portError(port: number, error: unknown): unknown {
  const code = errorCodeOf(error)
  if (code === 'EADDRINUSE') {
    return new LocalError(`Port ${port} on ${loopbackAddress} is in use by another program.`, {
      cause: error,
    })
  }
  if (code === 'EACCES') {
    return new LocalError(`Port ${port} on ${loopbackAddress} may not be opened by this user.`, {
      cause: error,
    })
  }
  return error
}

/**
 * Whether the request names this machine as its host. A page on the web can make its own name resolve to 127.0.0.1
 * (DNS rebinding), and then the browser lets it read every answer; its Host header still tells its name.
 */
export function namesThisMachine(request: IncomingMessage, port: number): boolean {
  const host = request.headers.host?.toLowerCase()
  if (host === undefined) return false
  const own = ['localhost', loopbackAddress, '[::1]']
  // A browser leaves out the port that is the default of http.
  return own.some(name => host === `${name}:${port}` || (port === 80 && host === name))
}

/**
 * Whether an engine may answer the request: it must name this machine and come from no web page. SDKs send no Origin;
 * a browser always does with the methods and content types that the engines take.
 */
export function isFromLocalProgram(request: IncomingMessage, port: number): boolean {
  return namesThisMachine(request, port) && request.headers.origin === undefined
}
