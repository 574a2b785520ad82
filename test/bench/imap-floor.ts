/** The floor: a raw socket that knows beforehand what the server will say, and keeps nothing. */

import { connect } from 'node:tls'

export interface Account {
  port: number
  user: string
  token: string
}

const initialResponse = ({ user, token }: Account) =>
  Buffer.from(`user=${user}\x01auth=Bearer ${token}\x01\x01`).toString('base64')

/** Greeting, AUTHENTICATE, then everything else in one write. @returns what the server said, up to `keep` characters */
function converse(account: Account, commands: string, onData: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: account.port, servername: 'localhost' })
    socket.setNoDelay(true)
    let stage = 0
    let tail = ''
    socket.on('data', (chunk: Buffer) => {
      if (stage === 2) return onData(chunk)
      tail += chunk.toString('latin1')
      if (stage === 0 && tail.includes('\r\n')) {
        stage = 1
        socket.write(`a AUTHENTICATE XOAUTH2 ${initialResponse(account)}\r\n`)
      } else if (stage === 1 && tail.includes('\na OK')) {
        stage = 2
        socket.write(commands)
      }
    })
    socket
      .once('error', reject)
      .once('close', () => resolve())
      .once('end', () => socket.end())
  })
}

/** @throws Error if the server did not say where its UIDs end */
export async function pollRaw(account: Account): Promise<void> {
  let said = ''
  await converse(account, 's STATUS INBOX (UIDNEXT UIDVALIDITY)\r\nz LOGOUT\r\n', chunk => {
    said += chunk.toString('latin1')
  })
  if (!said.includes('UIDNEXT')) throw new Error(`No state: ${said.slice(0, 200)}`)
}

/** All mails of INBOX with one command. @returns how many came */
export async function fetchRaw(account: Account, onMail: (raw: Buffer) => void): Promise<number> {
  let count = 0
  let line: Buffer[] = []
  let mail: { bytes: Buffer; filled: number } | undefined
  await converse(account, 'e EXAMINE INBOX\r\nf UID FETCH 1:* (UID BODY.PEEK[])\r\nz LOGOUT\r\n', chunk => {
    for (let at = 0; at < chunk.length; ) {
      if (mail) {
        const taken = Math.min(mail.bytes.length - mail.filled, chunk.length - at)
        chunk.copy(mail.bytes, mail.filled, at, at + taken)
        mail.filled += taken
        at += taken
        if (mail.filled < mail.bytes.length) return
        count += 1
        onMail(mail.bytes)
        mail = undefined
        continue
      }
      const end = chunk.indexOf(10, at)
      line.push(chunk.subarray(at, end < 0 ? chunk.length : end + 1))
      if (end < 0) return
      at = end + 1
      const length = /\{(\d+)\}\r\n$/.exec(Buffer.concat(line).toString('latin1'))?.[1]
      line = []
      if (length !== undefined) mail = { bytes: Buffer.allocUnsafe(Number(length)), filled: 0 }
    }
  })
  return count
}
