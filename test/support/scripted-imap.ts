/** An IMAP server (TLS) with one empty mailbox, until a test's script says what it does instead. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { onTestFinished } from 'vitest'
import type { MailServer } from '../../functions/channel/provider.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { cacheFolder } from './cache.ts'

export interface ScriptedImap {
  server: MailServer
  /** The answer to AUTHENTICATE, behind its tag; `drop` hangs up instead. */
  authenticate: string
  /** The answer to every command after it; `drop` hangs up instead, null is the usual. */
  afterwards: string | null
  /** `drop` hangs up instead, `hang` says nothing for ever. */
  greeting: string
  connections: number
  /** Most of them at the same time. */
  mostAtOnce: number
}

/** Starts one that ends with the test. */
export async function startScriptedImap(): Promise<ScriptedImap> {
  const folder = join(cacheFolder, 'sandbox')
  const sockets = new Set<TLSSocket>()
  const listener = createServer(
    { key: readFileSync(join(folder, 'key.pem')), cert: readFileSync(join(folder, 'cert.pem')) },
    socket => {
      sockets.add(socket)
      imap.connections += 1
      imap.mostAtOnce = Math.max(imap.mostAtOnce, sockets.size)
      socket.on('error', () => {}).once('close', () => sockets.delete(socket))
      if (imap.greeting === 'drop') return void socket.destroy()
      if (imap.greeting === 'hang') return
      socket.write(`${imap.greeting}\r\n`)
      let text = ''
      socket.on('data', chunk => {
        text += chunk
        const lines = text.split('\r\n')
        text = lines.pop() ?? ''
        for (const line of lines) {
          const [tag = '*', command = ''] = line.split(' ')
          if (/^CAPABILITY$/i.test(command)) {
            socket.write(`* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n${tag} OK\r\n`)
            continue
          }
          const answer = /^AUTHENTICATE$/i.test(command)
            ? imap.authenticate
            : (imap.afterwards ?? usual(command))
          if (answer === 'drop') return void socket.destroy()
          const lines = answer.split('\r\n')
          const last = lines.pop()
          socket.write([...lines, `${tag} ${last}`, ''].join('\r\n'))
        }
      })
    },
  )
  const port = await listenOnLoopback(listener, 0)
  const imap: ScriptedImap = {
    server: { host: 'localhost', port, security: 'tls' },
    greeting: '* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready',
    authenticate: 'OK AUTHENTICATE completed.',
    afterwards: null,
    connections: 0,
    mostAtOnce: 0,
  }
  onTestFinished(
    () =>
      new Promise(resolve => {
        listener.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  )
  return imap
}

function usual(command: string): string {
  const name = command.toUpperCase()
  if (name === 'LIST') return '* LIST () "/" INBOX\r\nOK LIST completed'
  if (name === 'STATUS') return '* STATUS INBOX (UIDNEXT 1 UIDVALIDITY 1)\r\nOK STATUS completed'
  if (name === 'LOGOUT') return '* BYE Logging out\r\nOK LOGOUT completed'
  const mailbox = ['* FLAGS ()', '* 0 EXISTS', '* OK [UIDVALIDITY 1] valid', '* OK [UIDNEXT 1] next']
  if (name === 'EXAMINE') return [...mailbox, 'OK [READ-ONLY] EXAMINE completed'].join('\r\n')
  return `OK ${name} completed`
}
