/** Sending, against nodemailer alone on a kept connection with ready MIME, and against a raw socket. */

import SMTPConnection from 'nodemailer/lib/smtp-connection'
import { type Benchmark, type Figure, median } from './figures.ts'
import { startSink } from './sink.ts'
import { type RawMail, sendRaw } from './smtp-floor.ts'

const rounds = 5
const mailCount = 300

export const sending: Benchmark = {
  title: `${mailCount} replies on one connection, ${rounds} rounds`,
  async run(progress) {
    const sink = await startSink()
    try {
      const mails = replies(mailCount)
      const cpuMs: Record<'floor' | 'nodemailer', number[]> = { floor: [], nodemailer: [] }
      const figures: Figure[] = []
      for (let round = 0; round < rounds; round++) {
        progress(`round ${round + 1} of ${rounds}`)
        cpuMs.floor.push(await cpuOf(() => sendRaw(sink.port, 'dG9rZW4=', mails)))
        await sink.counts()
        cpuMs.nodemailer.push(await cpuOf(() => sendByNodemailer(sink.port, mails)))
        if (round > 0) continue
        const { roundTrips, mails: taken } = await sink.counts()
        figures.push({ what: 'nodemailer: round trips a mail', value: roundTrips / taken, unit: 'count' })
      }
      const ratios = cpuMs.nodemailer.map((ms, round) => ms / (cpuMs.floor[round] ?? Number.NaN))
      figures.push({
        what: 'nodemailer: CPU a mail against the raw floor',
        value: median(ratios),
        unit: 'ratio',
      })
      return figures
    } finally {
      await sink.close()
    }
  },
}

/** CPU of this thread, in ms: the server has one of its own. */
async function cpuOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

async function sendByNodemailer(port: number, mails: RawMail[]): Promise<void> {
  const connection = new SMTPConnection({ host: '127.0.0.1', port, ignoreTLS: true, logger: false })
  await new Promise<void>((resolve, reject) => {
    connection.once('error', reject)
    connection.connect(() => resolve())
  })
  for (const { from, to, raw } of mails) {
    await new Promise<void>((resolve, reject) => {
      connection.send({ from, to: [to], size: raw.byteLength }, raw, error =>
        error ? reject(error) : resolve(),
      )
    })
  }
  connection.quit()
}

/** Replies of about 20 KB. */
function replies(count: number): RawMail[] {
  const line = 'The quick brown fox jumps over the lazy dog, and then it writes a reply about it.\r\n'
  return Array.from({ length: count }, (_, number) => ({
    from: 'ada@contoso.example',
    to: 'customer@outside.example',
    raw: Buffer.from(`Subject: Reply ${number}\r\nFrom: ada@contoso.example\r\n\r\n${line.repeat(240)}`),
  }))
}
