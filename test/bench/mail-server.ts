/** A private Dovecot with filled mailboxes that takes any token for the user it names, and a proxy that counts and delays. */

import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, createServer, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { listenOnLoopback } from '../../infra/sandbox/loopback.ts'
import { startDovecot } from '../servers/dovecot.ts'

export interface MailServerUnderTest {
  port: number
  certFile: string
  folder: string
  /** Puts mails into a mailbox, before anybody looks into it. */
  fill(user: string, mails: Buffer[]): Promise<void>
  close(): Promise<void>
}

/** The owner of all mail, as in dovecot.ts. */
const mailUserId = 5000
export const passwordOfAll = 'bench'

export async function startMailServer(): Promise<MailServerUnderTest> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-bench-'))
  await chmod(folder, 0o755)
  const certificate = await localhostCertificate(join(folder, 'certificate'))
  setDefaultCACertificates([...getCACertificates('default'), certificate.cert])
  const introspection = new Worker(new URL('./introspection.ts', import.meta.url))
  const [introspectionPort] = await once(introspection, 'message')
  const dovecot = await startDovecot({
    folder: join(folder, 'dovecot'),
    certificate,
    introspectionUrl: `http://127.0.0.1:${introspectionPort}/`,
    personas: [],
    passwordOfAll,
  })
  return {
    port: dovecot.imapPort,
    certFile: certificate.certFile,
    folder,
    async fill(user, mails) {
      const maildir = dovecot.maildir(user)
      const home = join(maildir, '..')
      for (const name of ['cur', 'new', 'tmp']) await mkdir(join(maildir, name), { recursive: true })
      for (const [index, raw] of mails.entries()) {
        await writeFile(join(maildir, 'cur', `${1_700_000_000 + index}.M${index}.bench:2,`), raw)
      }
      for (const path of [home, maildir, ...['cur', 'new', 'tmp'].map(name => join(maildir, name))]) {
        await chown(path, mailUserId, mailUserId)
      }
    },
    async close() {
      await dovecot.stop()
      await introspection.terminate()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

export interface Proxy {
  port: number
  counts: { connections: number; roundTrips: number; commands: number }
  /** Waits until every client has left: what it says last may still be on its way. */
  left(): Promise<void>
  close(): void
}

/**
 * Ends TLS on both sides, so that it sees lines. A round trip is what the client says after the server has said
 * something, and waits for an answer to: the greeting costs everybody the same and is not counted, nor is a good-bye of
 * somebody who leaves with it.
 */
export async function startProxy(
  target: MailServerUnderTest,
  { delayMs }: { delayMs: number },
): Promise<Proxy> {
  const { key, cert } = await localhostCertificate(join(target.folder, 'certificate'))
  const counts = { connections: 0, roundTrips: 0, commands: 0 }
  const sockets = new Set<TLSSocket>()
  const pass = async (to: TLSSocket, chunk: Buffer) => {
    if (delayMs > 0) await sleep(delayMs)
    to.write(chunk)
  }
  const listener = createServer({ key, cert }, client => {
    counts.connections += 1
    const server = connect({ host: '127.0.0.1', port: target.port, servername: 'localhost' })
    let hasServerSpoken = false
    let isAsked = false
    let hasLeft = false
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.setNoDelay(true).on('error', () => {})
      socket.once('close', () => sockets.delete(socket))
    }
    client.on('data', (chunk: Buffer) => {
      if (hasServerSpoken) isAsked = true
      hasServerSpoken = false
      counts.commands += chunk.toString('latin1').split('\r\n').length - 1
      void pass(server, chunk)
    })
    server.on('data', (chunk: Buffer) => {
      hasServerSpoken = true
      if (isAsked && !hasLeft) counts.roundTrips += 1
      isAsked = false
      void pass(client, chunk)
    })
    client.once('end', () => {
      hasLeft = true
    })
    client.once('close', () => server.destroy())
    server.once('end', () => void sleep(delayMs).then(() => client.end()))
  })
  const port = await listenOnLoopback(listener, 0)
  return {
    port,
    counts,
    async left() {
      while (sockets.size > 0) await sleep(5)
    },
    close() {
      listener.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
