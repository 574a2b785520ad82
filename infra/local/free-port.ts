/** Finds a port nobody uses, for URLs that must be known before the server listens. */

import { createServer } from 'node:net'

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const address = server.address()
  await new Promise(resolve => server.close(resolve))
  if (typeof address === 'object' && address) return address.port
  throw new Error('The system gave no port')
}
