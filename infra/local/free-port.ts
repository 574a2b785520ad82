/** Ports nobody uses, for URLs that must be known before the server listens. */

import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { listenOnLoopback } from './loopback.ts'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (typeof address === 'object' && address) return address.port
  throw new Error('The system gave no port')
}

/** @throws LocalError that names the port if somebody listens there */
export async function requireFree(port: number): Promise<void> {
  const server = createHttpServer()
  await listenOnLoopback(server, port)
  await new Promise(resolve => server.close(resolve))
}

/**
 * The port after one that was chosen, so that pages can tell it in advance.
 * @param port 0 where none was chosen
 * @returns 0, which takes any, where none was chosen or somebody listens there
 */
export async function portBeside(port: number): Promise<number> {
  if (port === 0) return 0
  return requireFree(port + 1).then(
    () => port + 1,
    () => 0,
  )
}
