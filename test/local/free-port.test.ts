import { createServer } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { portBeside } from '../../infra/local/free-port.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

test('the port after a chosen one is taken, so that a page can name the sandbox', async () => {
  // Nobody hands out ports below the ephemeral ones, and one of these is free.
  const beside = await Promise.all([4400, 14400, 24400].map(portBeside))
  expect(beside.filter(Boolean).map(port => [4401, 14401, 24401].includes(port))).toContain(true)
})

test('where somebody listens after the chosen port, any is taken', async () => {
  const server = createServer()
  const port = await listenOnLoopback(server, 0)
  onTestFinished(() => void server.close())
  expect(await portBeside(port - 1)).toBe(0)
})

test.each([
  ['where none was chosen', 0],
  ['after the last port', 65535],
])('%s any is taken', async (_where, port) => {
  expect(await portBeside(port)).toBe(0)
})
