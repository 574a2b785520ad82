/** IMAP that begins in the clear and goes on under TLS (RFC 3501 6.2.1). */

import { readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { glance } from '../../functions/channel/imap-glance.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { cacheFolder } from '../support/cache.ts'
import { thrownBy } from '../support/thrown-error.ts'

const state = '* STATUS "INBOX" (UIDNEXT 42 UIDVALIDITY 7)\r\n'
const folder = join(cacheFolder, 'sandbox')
const [key, cert] = ['key.pem', 'cert.pem'].map(name => readFileSync(join(folder, name)))

/** @param said in the clear, as answer to STARTTLS, in one write */
async function startInTheClear(said: string) {
  const heard: { clear: string; secret: string } = { clear: '', secret: '' }
  const sockets = new Set<Socket>()
  const listener = createServer(plain => {
    sockets.add(plain.on('error', () => {}))
    plain.write('* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] ready\r\n')
    plain.once('data', chunk => {
      heard.clear += chunk
      plain.write(said)
      if (!said.includes('t OK')) return
      const secure = new TLSSocket(plain, { isServer: true, key, cert })
      secure
        .on('error', () => {})
        .on('data', (piece: Buffer) => {
          heard.secret += piece
          for (const line of piece.toString().trim().split('\r\n')) {
            const [tag, command] = line.split(' ')
            secure.write(`${command === 'STATUS' ? state : ''}${tag} OK\r\n`)
          }
        })
    })
  })
  const port = await listenOnLoopback(listener, 0)
  onTestFinished(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  const server = { host: 'localhost', port, security: 'starttls' as const }
  return { heard, login: { server, user: 'ada@contoso.example', accessToken: 'token' } }
}

test('nothing but STARTTLS is said in the clear, and the second time as well', async () => {
  const { heard, login } = await startInTheClear('t OK go on\r\n')
  for (const _ of [1, 2]) expect((await glance(login, ['INBOX'])).get('INBOX')?.uidNext).toBe(42)
  expect(heard.clear).toBe('t STARTTLS\r\n'.repeat(2))
  expect(heard.secret).toContain('a AUTHENTICATE XOAUTH2 ')
})

test('an answer sneaked in before the handshake is not taken for the server’s', async () => {
  const { heard, login } = await startInTheClear('t OK go on\r\na NO [AUTHENTICATIONFAILED] sneaked in\r\n')
  expect((await glance(login, ['INBOX'])).get('INBOX')?.uidNext).toBe(42)
  expect(heard.secret).toContain('a AUTHENTICATE XOAUTH2 ')
})

test('a server that does not go on under TLS gets no token', async () => {
  const { heard, login } = await startInTheClear('t NO not today\r\n')
  await thrownBy(() => glance(login, ['INBOX']))
  expect(heard).toEqual({ clear: 't STARTTLS\r\n', secret: '' })
})
