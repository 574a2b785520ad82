/** One sender in a process of its own: what it costs is this process's CPU and memory, and no engine's or server's. */

import { subscribe } from 'node:diagnostics_channel'
import { readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { openSmtp } from '../../functions/channel/smtp.ts'
import { type RawMail, sendRaw } from './smtp-floor.ts'

/** What to send, and how. */
export type Work =
  | {
      by: 'floor' | 'nodemailer' | 'postroom'
      port: number
      mails: number
      bytes: number
      connections: number
    }
  /** The deployed code: one invocation with this event. */
  | { by: 'bundle'; file: string; event: object }

export interface Cost {
  cpuMs: number
  wallMs: number
  /** The most this process ever held. */
  peakMiB: number
  /** Calls to AWS by name, such as `UpdateItem`. */
  calls: Record<string, number>
  result: unknown
}

const user = 'ada@contoso.example'
const accessToken = 'token'
/** As a Lambda with five minutes would have. */
const remainingMs = 290_000

const senders = {
  floor: (port: number, mails: RawMail[]) => sendRaw(port, 'dG9rZW4=', mails),

  async nodemailer(port: number, mails: RawMail[]) {
    const connection = new SMTPConnection({
      host: 'localhost',
      port,
      secure: true,
      logger: false,
      customAuth: { BENCH: async ({ sendCommand }) => void (await sendCommand('AUTH XOAUTH2 dG9rZW4=')) },
    })
    await new Promise<void>((resolve, reject) => {
      connection.once('error', reject)
      connection.connect(() =>
        connection.login({ user, method: 'BENCH' }, error => (error ? reject(error) : resolve())),
      )
    })
    for (const { from, to, raw } of mails) {
      await new Promise<void>((resolve, reject) => {
        connection.send({ from, to: [to], size: raw.byteLength }, raw, error =>
          error ? reject(error) : resolve(),
        )
      })
    }
    connection.quit()
  },

  async postroom(port: number, mails: RawMail[]) {
    const session = await openSmtp({
      server: { host: 'localhost', port, security: 'tls' },
      user,
      accessToken,
    })
    for (const { from, to, raw } of mails) {
      const envelope = { from, to: [to], sizeBytes: raw.byteLength }
      await session.send(envelope, Readable.from([raw]), { limitMs: remainingMs })
    }
    session.close()
  },
}

let calls: Record<string, number> = {}
subscribe('http.client.request.start', message => {
  const { request } = message as { request: { method: string; getHeader(name: string): unknown } }
  const target = String(request.getHeader('x-amz-target') ?? '').split('.')[1]
  const name = target ?? `${request.method} to S3 or SNS`
  calls[name] = (calls[name] ?? 0) + 1
})

async function perform(work: Work): Promise<unknown> {
  if (work.by === 'bundle') {
    const { handler } = await import(work.file)
    return handler(work.event, { getRemainingTimeInMillis: () => remainingMs })
  }
  const mails = replies(work.mails, work.bytes)
  const each = Math.ceil(mails.length / work.connections)
  const shares = Array.from({ length: work.connections }, (_, i) => mails.slice(i * each, (i + 1) * each))
  await Promise.all(shares.map(share => senders[work.by](work.port, share)))
  return undefined
}

process.on('message', async (work: Work) => {
  try {
    process.send?.(await costOf(work))
  } catch (error) {
    // A bundle's own trace shows its source, which is one line of a megabyte.
    process.send?.({ failure: error instanceof Error ? `${error.name}: ${error.message}` : String(error) })
  }
})

async function costOf(work: Work): Promise<Cost> {
  calls = {}
  const before = process.cpuUsage()
  const startMs = performance.now()
  const result = await perform(work)
  const { user, system } = process.cpuUsage(before)
  const peakMiB = peakKiB() / 1024
  return {
    cpuMs: (user + system) / 1000,
    wallMs: performance.now() - startMs,
    peakMiB,
    calls,
    result,
  }
}

/** Of this program alone: Linux counts in `maxRSS` what the process had that started it. */
function peakKiB(): number {
  const status = process.platform === 'linux' ? readFileSync('/proc/self/status', 'utf8') : ''
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? process.resourceUsage().maxRSS)
}

let made: { key: string; mails: RawMail[] } | undefined

/** Ready before anybody is measured twice with them. */
function replies(count: number, bytes: number): RawMail[] {
  const key = `${count} ${bytes}`
  if (made?.key === key) return made.mails
  const line = 'The quick brown fox jumps over the lazy dog, and then it writes a reply about it.\r\n'
  const mails = Array.from({ length: count }, (_, number) => ({
    from: user,
    to: 'customer@outside.example',
    raw: Buffer.from(
      `Subject: Reply ${number}\r\nFrom: ${user}\r\n\r\n${line.repeat(Math.ceil(bytes / line.length))}`,
    ),
  }))
  made = { key, mails }
  return mails
}
