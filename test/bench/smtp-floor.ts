/** The floor for sending: a bare TLS socket that writes what SMTP cannot do without, on one kept connection. */

import { once } from 'node:events'
import { connect } from 'node:tls'

export interface RawMail {
  from: string
  to: string
  raw: Buffer
}

/** RFC 2920: MAIL, RCPT and DATA in one write, then the body: two round trips a mail. */
export async function sendRaw(port: number, token: string, mails: RawMail[]): Promise<void> {
  const socket = connect({ host: 'localhost', port })
  socket.setNoDelay(true)
  await once(socket, 'secureConnect')
  let text = ''
  let wake = () => {}
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
    wake()
  })
  async function reply(): Promise<void> {
    for (;;) {
      const end = text.indexOf('\r\n')
      if (end < 0) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
        continue
      }
      const line = text.slice(0, end)
      text = text.slice(end + 2)
      if (line[3] === '-') continue
      if (!/^[23]/.test(line)) throw new Error(line)
      return
    }
  }
  await reply()
  socket.write('EHLO floor\r\n')
  await reply()
  socket.write(`AUTH XOAUTH2 ${token}\r\n`)
  await reply()
  for (const { from, to, raw } of mails) {
    socket.write(`MAIL FROM:<${from}>\r\nRCPT TO:<${to}>\r\nDATA\r\n`)
    for (let i = 0; i < 3; i++) await reply()
    socket.write(raw)
    socket.write('.\r\n')
    await reply()
  }
  socket.end('QUIT\r\n')
  await once(socket, 'close')
}
