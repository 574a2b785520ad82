/** Fetching from a private Dovecot, against a raw socket, a bare imapflow loop and mbsync. Nothing is stored. */

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { parseMail } from '../../functions/fetch/parse.ts'
import { openParser } from '../../functions/fetch/parser.ts'
import { missingForMail } from '../servers/installed.ts'
import { type Benchmark, type Figure, median } from './figures.ts'
import { fetchByImapflow, fetchByPostroom, pollByImapflow, pollByPostroom } from './imap-clients.ts'
import { type Account, fetchRaw, pollRaw } from './imap-floor.ts'
import { type MailServerUnderTest, startMailServer, startProxy } from './mail-server.ts'
import { hasMbsync, openMbsync } from './mbsync.ts'

const rounds = 3
const clients = {
  raw: { poll: pollRaw, fetch: fetchRaw },
  postroom: { poll: pollByPostroom, fetch: fetchByPostroom },
  imapflow: { poll: pollByImapflow, fetch: fetchByImapflow },
}
type Client = keyof typeof clients
const names: Client[] = ['raw', 'postroom', 'imapflow']
const megabyte = 1024 * 1024

interface Bench {
  server: MailServerUnderTest
  progress: (line: string) => void
  /** With 10 mails each. Besides them there are one large, one with 50 mails and one with 10 mails of 5 MiB. */
  many: string[]
  mailsOfLarge: number
}

export const fetching: Benchmark = {
  title:
    'idle mailboxes, one large one, many small ones; with --scale 1: 200, one with 2,000 mails, 200 with 10',
  async run(progress, scale) {
    if (missingForMail !== null) {
      progress(`skipped: ${missingForMail}`)
      return []
    }
    if (!hasMbsync()) progress('without mbsync, which is not installed here (Debian: isync)')
    const server = await startMailServer()
    try {
      const many = Array.from({ length: Math.ceil(200 * scale) }, (_, index) => `user${index}@bench.example`)
      const mailsOfLarge = Math.ceil(2_000 * scale)
      progress('filling mailboxes')
      for (const user of many) await server.fill(user, letters(10))
      await server.fill('large@bench.example', letters(mailsOfLarge))
      await server.fill('fresh@bench.example', letters(50))
      await server.fill('heavy@bench.example', letters(10, 5 * megabyte))
      // Dovecot makes its index now, and not while somebody is measured.
      for (const user of [...many, 'large@bench.example', 'fresh@bench.example', 'heavy@bench.example']) {
        await fetchRaw(accountOf(server, user), () => {})
      }
      const bench = { server, progress, many, mailsOfLarge }
      return [
        ...(await roundTrips(bench)),
        ...(await idle(bench)),
        ...(await ingest(bench, {
          name: 'one large mailbox',
          users: ['large@bench.example'],
          each: mailsOfLarge,
        })),
        ...(await ingest(bench, { name: 'many small mailboxes', users: many, each: 10 })),
        ...(await parsing(bench)),
        ...(await memory(bench)),
      ]
    } finally {
      await server.close()
    }
  },
}

/** W1 and W2 of what a poll may ask. */
async function roundTrips({ server, progress }: Bench): Promise<Figure[]> {
  progress('counting round trips')
  const figures: Figure[] = []
  const limits = {
    poll: { connections: 1, roundTrips: 2, commands: 3 },
    fetch: { connections: 1, roundTrips: 4, commands: 5 },
  }
  for (const name of ['postroom', 'imapflow'] as const) {
    for (const work of ['poll', 'fetch'] as const) {
      const proxy = await startProxy(server, { delayMs: 0 })
      const account = { ...accountOf(server, 'fresh@bench.example'), port: proxy.port }
      if (work === 'poll') await clients[name].poll(account)
      else await clients[name].fetch(account, () => undefined, true)
      await proxy.left()
      proxy.close()
      for (const [what, value] of Object.entries(proxy.counts)) {
        const limit: Record<string, number> = name === 'postroom' ? limits[work] : {}
        figures.push({
          what: `${name}: ${work === 'poll' ? 'idle poll' : 'poll with 50 new mails'}, ${unitOf(what)}`,
          value,
          unit: 'count',
          atMost: limit[what],
        })
      }
    }
  }
  return figures
}

const unitOf = (name: string) => (name === 'roundTrips' ? 'round trips' : name)

/** R1 and R2: CPU on loopback, and wall time where a round trip takes 30 ms. */
async function idle({ server, progress, many }: Bench): Promise<Figure[]> {
  const cpu = newSeries()
  for (let round = 0; round < rounds; round++) {
    progress(`idle poll of ${many.length} mailboxes, round ${round + 1} of ${rounds}`)
    for (const name of names) {
      const { cpuMs } = await costOf(async () => {
        for (const user of many) await clients[name].poll(accountOf(server, user))
      })
      cpu[name].push(cpuMs / many.length)
    }
  }
  progress('idle poll at 30 ms a round trip')
  const proxy = await startProxy(server, { delayMs: 15 })
  const wall = newSeries()
  for (const user of many.slice(0, 20)) {
    for (const name of names) {
      const account = { ...accountOf(server, user), port: proxy.port }
      wall[name].push((await costOf(() => clients[name].poll(account))).wallMs)
    }
  }
  proxy.close()
  return [
    { what: 'postroom: idle poll, CPU a mailbox', value: median(cpu.postroom), unit: 'ms' },
    {
      what: 'R1: idle poll, CPU against raw',
      value: ratio(cpu.postroom, cpu.raw),
      unit: 'ratio',
      atMost: 1.5,
    },
    {
      what: 'R1: idle poll, CPU against imapflow',
      value: ratio(cpu.postroom, cpu.imapflow),
      unit: 'ratio',
      atMost: 0.45,
    },
    {
      what: 'R2: idle poll, wall at 30 ms against raw',
      value: ratio(wall.postroom, wall.raw),
      unit: 'ratio',
      atMost: 1.1,
    },
    {
      what: 'idle poll, wall at 30 ms against imapflow',
      value: ratio(wall.postroom, wall.imapflow),
      unit: 'ratio',
    },
  ]
}

/** R3: mail comes, and nobody parses or keeps it; mbsync writes it to files. */
async function ingest(
  { server, progress }: Bench,
  { name: label, users, each }: { name: string; users: string[]; each: number },
): Promise<Figure[]> {
  const cpu = newSeries()
  const wall = newSeries()
  const peer = { cpu: [] as number[], wall: [] as number[] }
  for (let round = 0; round < rounds; round++) {
    progress(`${users.length} × ${each} mails, round ${round + 1} of ${rounds}`)
    for (const name of names) {
      const { cpuMs, wallMs } = await costOf(async () => {
        for (const user of users) {
          const count = await clients[name].fetch(accountOf(server, user), () => undefined)
          if (count !== each) throw new Error(`${name} got ${count} of ${each} mails`)
        }
      })
      cpu[name].push(cpuMs)
      wall[name].push(wallMs)
    }
    if (!hasMbsync()) continue
    const pull = await openMbsync(server, { name: `mbsync-${users.length}-${round}`, users })
    let cpuMs = Number.NaN
    const { wallMs } = await costOf(async () => {
      cpuMs = await pull()
    })
    peer.cpu.push(cpuMs)
    peer.wall.push(wallMs)
  }
  const figures: Figure[] = [
    { what: `postroom: ${label}, CPU a mail`, value: median(cpu.postroom) / users.length / each, unit: 'ms' },
    {
      what: `R3: ${label}, CPU against raw`,
      value: ratio(cpu.postroom, cpu.raw),
      unit: 'ratio',
      atMost: 1.2,
    },
    { what: `${label}, CPU against imapflow`, value: ratio(cpu.postroom, cpu.imapflow), unit: 'ratio' },
  ]
  if (peer.wall.length === 0) return figures
  return [
    ...figures,
    {
      what: `R3: ${label}, wall against mbsync`,
      value: ratio(wall.postroom, peer.wall),
      unit: 'ratio',
      atMost: 1,
    },
    { what: `${label}, CPU against mbsync`, value: ratio(cpu.postroom, peer.cpu), unit: 'ratio' },
  ]
}

/** R4 without its storing: the parser in its worker, against the raw fetch and the same parser on the thread itself. */
async function parsing({ server, progress, mailsOfLarge }: Bench): Promise<Figure[]> {
  const account = accountOf(server, 'large@bench.example')
  const parser = openParser()
  // The worker starts once in a function's life; and neither thread shall meet the parser's code for the first time.
  for (const raw of letters(200)) {
    await parser.parse(raw)
    await parseMail(raw)
  }
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round < rounds; round++) {
    progress(`fetching and parsing ${mailsOfLarge} mails, round ${round + 1} of ${rounds}`)
    ours.push((await costOf(() => fetchByPostroom(account, raw => parser.parse(raw)))).processMs)
    const { processMs } = await costOf(async () => {
      const mails: Buffer[] = []
      await fetchRaw(account, raw => mails.push(raw))
      for (const raw of mails) await parseMail(raw)
    })
    floor.push(processMs)
  }
  await parser.close()
  return [
    {
      what: 'R4: fetch and parse, CPU against raw fetch and parser (no store)',
      value: ratio(ours, floor),
      unit: 'ratio',
      atMost: 1.15,
    },
  ]
}

/** R5: a process of its own fetches mails of 5 MiB, against one that does nothing. */
async function memory({ server, progress }: Bench): Promise<Figure[]> {
  progress('fetching 10 mails of 5 MiB in a process of its own')
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: server.certFile }
  const { port, user, token } = accountOf(server, 'heavy@bench.example')
  const peakOf = async (args: string[]) => {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    return Number(stdout.trim()) / 1024
  }
  const readPeak = `require('node:fs').readFileSync('/proc/self/status', 'utf8')`
  const empty = await peakOf(['-e', `console.log(/VmHWM:\\s+(\\d+)/.exec(${readPeak})[1])`])
  const script = [...process.execArgv, fileURLToPath(new URL('./imap-peak.ts', import.meta.url))]
  const loaded = await peakOf(script)
  const peak = await peakOf([...script, String(port), user, token])
  return [
    {
      what: 'R5: peak memory over an empty process, mails of 5 MiB',
      value: peak - empty,
      unit: 'MiB',
      atMost: 45,
    },
    // The compiler of TypeScript and the peer libraries are the benchmark's, and not in the function's bundle.
    { what: 'peak memory over the same process before it connects', value: peak - loaded, unit: 'MiB' },
  ]
}

function accountOf({ port }: MailServerUnderTest, user: string): Account {
  return { port, user, token: `for-${user}` }
}

function newSeries(): Record<Client, number[]> {
  return { raw: [], postroom: [], imapflow: [] }
}

/** Round by round, since the machine's mood changes between rounds. */
function ratio(ours: number[], theirs: number[]): number {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)))
}

/** CPU of this thread alone, of all threads, and time on the clock. */
async function costOf(
  work: () => Promise<unknown>,
): Promise<{ cpuMs: number; processMs: number; wallMs: number }> {
  const before = { thread: process.threadCpuUsage(), process: process.cpuUsage(), at: performance.now() }
  await work()
  const thread = process.threadCpuUsage(before.thread)
  const all = process.cpuUsage(before.process)
  return {
    cpuMs: (thread.user + thread.system) / 1000,
    processMs: (all.user + all.system) / 1000,
    wallMs: performance.now() - before.at,
  }
}

/** Letters of about 6 KB, or as large as asked for by an attachment. */
function letters(count: number, bytes = 6_000): Buffer[] {
  const line = 'The quick brown fox jumps over the lazy dog, and then it writes about it at length.\r\n'
  const base64 = `${'QUJD'.repeat(19)}\r\n`
  return Array.from({ length: count }, (_, number) =>
    Buffer.from(
      [
        `Message-ID: <letter-${number}@outside.example>`,
        `Date: Mon, 05 Oct 2026 10:${String(number % 60).padStart(2, '0')}:00 +0000`,
        'From: Customer <customer@outside.example>',
        'To: support@bench.example',
        `Subject: Letter ${number}`,
        'MIME-Version: 1.0',
        'Content-Type: multipart/mixed; boundary=part',
        '',
        '--part',
        'Content-Type: text/plain; charset=utf-8',
        '',
        line.repeat(20),
        '--part',
        'Content-Type: application/octet-stream; name=data.bin',
        'Content-Disposition: attachment; filename=data.bin',
        'Content-Transfer-Encoding: base64',
        '',
        base64.repeat(Math.ceil((bytes - 1_900) / base64.length)),
        '--part--',
        '',
      ].join('\r\n'),
    ),
  )
}
