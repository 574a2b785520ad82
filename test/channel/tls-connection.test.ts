/** TLS that goes on from an earlier handshake: with the same server only, and never past its certificate. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { connectOverTls } from '../../functions/channel/tls-connection.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { cacheFolder } from '../support/cache.ts'

const sandboxFolder = join(cacheFolder, 'sandbox')

interface Listening {
  port: number
  stop(): Promise<void>
}

/** Says good-bye to whoever comes. */
async function listen(folder: string, { port = 0 } = {}): Promise<Listening> {
  const { key, cert } = await localhostCertificate(folder)
  const server = createServer({ key, cert }, socket => socket.on('error', () => {}).end('* BYE\r\n'))
  server.on('tlsClientError', () => {})
  const bound = await listenOnLoopback(server, port)
  const stop = () => new Promise<void>(resolve => void server.close(() => resolve()))
  onTestFinished(stop)
  return { port: bound, stop }
}

/** @returns whether it went on from an earlier handshake, or why there is no connection */
function visit(port: number, host = 'localhost'): Promise<'new' | 'resumed' | string> {
  return new Promise(resolve => {
    const socket = connectOverTls({ host, port }, { onData: () => {} })
    let outcome = 'no handshake'
    socket.once('secureConnect', () => {
      outcome = socket.isSessionReused() ? 'resumed' : 'new'
    })
    socket.once('error', error => {
      outcome = 'code' in error ? String(error.code) : error.message
    })
    socket.once('close', () => resolve(outcome))
    socket.resume().once('end', () => socket.end())
  })
}

async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-tls-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

test('the second connection to a server goes on from the first handshake', async () => {
  const { port } = await listen(sandboxFolder)
  expect([await visit(port), await visit(port), await visit(port)]).toEqual(['new', 'resumed', 'resumed'])
})

test('another server, and another name of the same one, begin anew', async () => {
  const [one, other] = [await listen(sandboxFolder), await listen(sandboxFolder)]
  expect([await visit(one.port), await visit(other.port)]).toEqual(['new', 'new'])
  expect(await visit(one.port, '127.0.0.1')).toBe('new')
})

test('a server whose certificate nobody vouches for is refused each time', async () => {
  const { port } = await listen(await freshFolder())
  const refused = 'DEPTH_ZERO_SELF_SIGNED_CERT'
  expect([await visit(port), await visit(port)]).toEqual([refused, refused])
})

test('a server that was replaced by one with a bad certificate is refused, though it was known', async () => {
  const good = await listen(sandboxFolder)
  await visit(good.port)
  await good.stop()
  await listen(await freshFolder(), good)
  expect(await visit(good.port)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
})

test('a server that has forgotten what it gave begins anew, and is remembered again', async () => {
  const before = await listen(sandboxFolder)
  await visit(before.port)
  await before.stop()
  await listen(sandboxFolder, before)
  expect([await visit(before.port), await visit(before.port)]).toEqual(['new', 'resumed'])
})
