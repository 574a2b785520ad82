/** An app's endpoint for webhooks that behaves as a test wants. */

import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterEach } from 'vitest'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

export interface Receiver {
  url: string
  /** Everything that was posted, in order. */
  received: { headers: IncomingHttpHeaders; body: string }[]
  /** Ids of the events, in order. */
  ids(): string[]
  behave(answer: (response: ServerResponse) => void): void
}

export const answers = {
  ok: (response: ServerResponse) => response.writeHead(204).end(),
  garbage: (response: ServerResponse) => response.writeHead(200).end('\u0000not json at all<'),
  endless: (response: ServerResponse) => {
    response.writeHead(200)
    const more = () => response.write('x'.repeat(16_384), error => error ?? more())
    more()
  },
  failing: (response: ServerResponse) => response.writeHead(500).end(),
  gone: (response: ServerResponse) => response.writeHead(410).end(),
  later: (response: ServerResponse) => response.writeHead(503, { 'retry-after': '7200' }).end(),
  /** The wait as a date, by a clock that is a year behind. */
  laterByDate: (response: ServerResponse) =>
    response
      .writeHead(503, {
        date: 'Mon, 24 Nov 2025 10:00:00 GMT',
        'retry-after': 'Mon, 24 Nov 2025 12:00:00 GMT',
      })
      .end(),
  silent: () => undefined,
  breaksOff: (response: ServerResponse) => {
    response.writeHead(200, { 'content-length': '100' })
    response.write('half', () => response.destroy())
  },
  resets: (response: ServerResponse) => response.destroy(),
  redirectTo: (location: string) => (response: ServerResponse) => response.writeHead(307, { location }).end(),
}

/** Registers the hook that closes every receiver of a test. */
export function useReceivers(): { open(): Promise<Receiver> } {
  const closers: (() => void)[] = []
  afterEach(() => {
    for (const close of closers.splice(0)) close()
  })
  return {
    async open() {
      let answer: (response: ServerResponse) => void = answers.ok
      const received: Receiver['received'] = []
      const server = createServer(async (request, response) => {
        const body = (await buffer(request)).toString()
        received.push({ headers: request.headers, body })
        answer(response)
      })
      const port = await listenOnLoopback(server, 0)
      closers.push(() => {
        server.close()
        server.closeAllConnections()
      })
      return {
        url: `http://127.0.0.1:${port}/hook`,
        received,
        ids: () => received.map(({ headers }) => String(headers['webhook-id'])),
        behave(next) {
          answer = next
        },
      }
    },
  }
}
