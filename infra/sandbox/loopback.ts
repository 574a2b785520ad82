/** Listening on 127.0.0.1 and nowhere else. */
import type { Server } from 'node:net'

/**
 * Resolves with the port once the server listens.
 *
 * @param port 0 takes any free one
 * @throws {Error} where the port is taken
 */
export function listenOnLoopback(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', cause =>
      reject(new Error(`Cannot listen on 127.0.0.1:${port}: ${cause.message}`, { cause })),
    )
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string')
        reject(new Error('Cannot listen: the server has no port'))
      else resolve(address.port)
    })
  })
}
