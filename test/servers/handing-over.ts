/** Hands bytes to a mail server as the rest of the world does: no login, whatever the bytes are. */

import SMTPConnection from 'nodemailer/lib/smtp-connection'

export interface Delivery {
  from: string
  to: string
  raw: Uint8Array
}

/** An open connection. */
export interface Courier {
  /** @throws Error with the server's answer if it refuses */
  deliver(delivery: Delivery): Promise<void>
  close(): void
}

/** @param protocol LMTP (RFC 2033) is what Dovecot takes mail by; Postfix takes SMTP */
export async function openCourier(port: number, protocol: 'smtp' | 'lmtp' = 'smtp'): Promise<Courier> {
  const connection = new SMTPConnection({
    host: '127.0.0.1',
    port,
    lmtp: protocol === 'lmtp',
    ignoreTLS: true,
    logger: false,
  })
  await new Promise<void>((resolve, reject) => {
    connection.once('error', reject)
    connection.connect(() => resolve())
  })
  connection.removeAllListeners('error').on('error', () => {})
  return {
    deliver: ({ from, to, raw }) =>
      new Promise((resolve, reject) => {
        connection.send({ from, to: [to], use8BitMime: true }, Buffer.from(raw), error => {
          if (error) connection.reset(() => reject(error))
          else resolve()
        })
      }),
    close: () => connection.quit(),
  }
}

/** One mail over a connection of its own. Lines may end as they like; on the wire they end with CRLF. */
export async function handOver(
  port: number,
  delivery: Omit<Delivery, 'raw'> & { raw: string },
): Promise<void> {
  const courier = await openCourier(port)
  try {
    await courier.deliver({ ...delivery, raw: Buffer.from(delivery.raw, 'utf8') })
  } finally {
    courier.close()
  }
}

/** A small mail with a Message-ID. */
export function letter(
  headers: Record<string, string> & { 'Message-ID': string; Subject: string },
  text = 'Hello.',
): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [...lines, '', text, ''].join('\r\n')
}
