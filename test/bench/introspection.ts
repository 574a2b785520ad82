/** Answers Dovecot in a thread of its own: a token is `for-USER`, and what a real one costs to check is not ours to measure. */

import { createServer } from 'node:http'
import { parentPort } from 'node:worker_threads'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'

const server = createServer((request, response) => {
  let text = ''
  request.on('data', chunk => {
    text += chunk
  })
  request.on('end', () => {
    const username = /for-([\w.@-]+)/.exec(decodeURIComponent(text))?.[1] ?? ''
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ active: username !== '', username }))
  })
})
parentPort?.postMessage(await listenOnLoopback(server, 0))
