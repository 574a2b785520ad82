/** An SMTP server in a thread of its own that takes everything, and counts what a client's manners cost: connections and round trips. */

import type { Socket } from 'node:net'
import { createServer } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'

export interface SinkCounts {
  connections: number
  mails: number
  /** Bursts of the client after the server had spoken: what latency is paid for. */
  roundTrips: number
}

const extensions = [
  'PIPELINING',
  'SIZE 157286400',
  '8BITMIME',
  'ENHANCEDSTATUSCODES',
  'SMTPUTF8',
  'AUTH XOAUTH2',
]
const none: SinkCounts = { connections: 0, mails: 0, roundTrips: 0 }
let counts = { ...none }
/** How much later every answer comes, as if the way were that long. */
let delayMs = 0

function converse(socket: Socket): void {
  let received = Buffer.alloc(0)
  let inBody = false
  let spoken = true
  const write = (line: string) => {
    spoken = true
    socket.write(`${line}\r\n`)
  }
  const say = (line: string) => {
    if (delayMs > 0) setTimeout(write, delayMs, line)
    else write(line)
  }
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  socket.on('data', chunk => {
    if (spoken) counts.roundTrips += 1
    spoken = false
    received = received.length > 0 ? Buffer.concat([received, chunk]) : chunk
    for (;;) {
      if (inBody) {
        const end = received.indexOf('\r\n.\r\n')
        if (end < 0) {
          // Only what may be the beginning of the end is kept.
          received = received.subarray(-4)
          return
        }
        received = received.subarray(end + 5)
        inBody = false
        counts.mails += 1
        say(`250 2.0.0 OK <${counts.mails}@sink.prod.outlook.com> [Hostname=sink]`)
        continue
      }
      const end = received.indexOf('\r\n')
      if (end < 0) return
      const verb = received.subarray(0, 4).toString('latin1').toUpperCase()
      received = received.subarray(end + 2)
      if (verb === 'EHLO')
        say(
          [
            '250-sink',
            ...extensions.map((name, i) => `250${i + 1 < extensions.length ? '-' : ' '}${name}`),
          ].join('\r\n'),
        )
      else if (verb === 'AUTH') say('235 2.7.0 ok')
      else if (verb === 'DATA') {
        inBody = true
        say('354 go')
      } else if (verb === 'QUIT') {
        // Nobody waits for this one.
        write('221 bye')
        socket.end()
      } else say('250 2.1.0 ok')
    }
  })
  counts.connections += 1
  say('220 sink ESMTP')
}

// sink.ts of this very folder has started this thread.
const certificate: { key: string; cert: string } = workerData
const server = createServer(certificate, converse)
server.listen(0, '127.0.0.1', () => parentPort?.postMessage(server.address()))
parentPort?.on('message', (nextDelayMs: number) => {
  parentPort?.postMessage(counts)
  counts = { ...none }
  delayMs = nextDelayMs
})
