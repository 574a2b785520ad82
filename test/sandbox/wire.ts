/** A bare client for SMTP and IMAP that shows every line the server sent. */
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { connect as connectTls } from 'node:tls'
import { onTestFinished } from 'vitest'

/** One connection, line by line. */
export interface Wire {
  send(line: string): void
  /** The next lines up to and including the one that fits. Fails after five seconds. */
  until(pattern: RegExp): Promise<string[]>
  /** The same connection after STARTTLS. */
  secured(ca: string): Promise<Wire>
}

/** SMTP's last line of a reply: code and space. */
export const smtpReply = /^\d{3} /

/** The SASL initial response of XOAUTH2. */
export function xoauth2({ user, token }: { user: string; token: string }): string {
  return Buffer.from(`user=${user}\x01auth=Bearer ${token}\x01\x01`).toString('base64')
}

export async function openPlain(port: number): Promise<Wire> {
  const socket = connect({ host: '127.0.0.1', port })
  return wireOver(socket)
}

export async function openTls(port: number, ca: string): Promise<Wire> {
  return wireOver(connectTls({ host: '127.0.0.1', port, servername: 'localhost', ca }))
}

function wireOver(socket: Socket): Wire {
  const lines: string[] = []
  let wake = () => {}
  const reader = createInterface({ input: socket })
  reader.on('line', line => {
    lines.push(line)
    wake()
  })
  socket.on('error', () => wake())
  onTestFinished(() => void socket.destroy())

  async function until(pattern: RegExp): Promise<string[]> {
    const deadlineMs = Date.now() + 5000
    for (;;) {
      const end = lines.findIndex(line => pattern.test(line))
      if (end >= 0) return lines.splice(0, end + 1)
      if (Date.now() > deadlineMs) throw new Error(`No line fits ${pattern}, got: ${lines.join(' | ')}`)
      await new Promise<void>(resolve => {
        wake = resolve
        setTimeout(resolve, 100)
      })
    }
  }

  return {
    send: line => void socket.write(`${line}\r\n`),
    until,
    secured: async ca => {
      reader.close()
      socket.removeAllListeners('data')
      return wireOver(connectTls({ socket, servername: 'localhost', ca }))
    },
  }
}
