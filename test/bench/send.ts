/** Sending: our SMTP session against nodemailer alone and a bare socket, and the deployed bundle whole, with its engines' CPU left out. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { bundleOf, openSendingGround } from '../support/bundled-sender.ts'
import { startEngines } from '../support/running-engines.ts'
import { type SenderProcess, startSender } from '../support/sender-process.ts'
import { type Benchmark, type Figure, median } from './figures.ts'
import type { Cost } from './send-client.ts'
import { type Sink, startSink } from './sink.ts'

const rounds = 5
const replyBytes = 20_000
const wayMs = 30
type Client = 'floor' | 'nodemailer' | 'postroom'
const clients: Client[] = ['floor', 'nodemailer', 'postroom']

interface Bench {
  sink: Sink
  senders: Record<Client, SenderProcess>
  certFile: string
  progress(line: string): void
  scale: number
}

export const sending: Benchmark = {
  title: 'replies of 20 KB over TLS; with --scale 1: 2,000 on one connection, 500 through the bundle',
  async run(progress, scale) {
    const folder = await mkdtemp(join(tmpdir(), 'postroom-bench-'))
    const certificate = await localhostCertificate(folder)
    const { certFile } = certificate
    const sink = await startSink(certificate)
    const started = () => startSender({ certFile })
    const senders = { floor: started(), nodemailer: started(), postroom: started() }
    try {
      const bench = { sink, senders, certFile, progress, scale }
      return [
        ...(await keptConnection(bench)),
        ...(await longWay(bench)),
        ...(await newConnections(bench)),
        ...(await wholeBundle(bench)),
      ]
    } finally {
      for (const sender of Object.values(senders)) sender.end()
      await sink.close()
      await rm(folder, { recursive: true, force: true })
    }
  },
}

/** Interleaved rounds after one to warm up, as ratios of what was measured in the same round. */
async function ratios(
  { senders, progress }: Bench,
  work: { name: string; port: number; mails: number; connections: number },
): Promise<{ cpu(client: Client, to: Client): number; wall(client: Client, to: Client): number }> {
  const costs: Record<Client, Cost>[] = []
  for (let round = 0; round <= rounds; round++) {
    progress(`${work.name}: ${round === 0 ? 'warming up' : `round ${round} of ${rounds}`}`)
    const of: Partial<Record<Client, Cost>> = {}
    for (const by of clients) of[by] = await senders[by].perform({ by, bytes: replyBytes, ...work })
    if (round > 0) costs.push(of as Record<Client, Cost>)
  }
  const ratio = (part: 'cpuMs' | 'wallMs') => (client: Client, to: Client) =>
    median(costs.map(of => of[client][part] / of[to][part]))
  return { cpu: ratio('cpuMs'), wall: ratio('wallMs') }
}

async function keptConnection(bench: Bench): Promise<Figure[]> {
  const { sink, senders, scale } = bench
  const figures: Figure[] = []
  for (const by of ['nodemailer', 'postroom'] as const) {
    const seen: number[] = []
    for (const mails of [1, 11]) {
      await sink.counts()
      await senders[by].perform({ by, port: sink.port, mails, bytes: replyBytes, connections: 1 })
      seen.push((await sink.counts()).roundTrips)
    }
    const [first = 0, all = 0] = seen
    // QUIT is one that nobody waits for; the rest of the first mail is hello, sign-in and the mail itself.
    figures.push(
      { what: `${by}: round trips of a new connection`, value: first - 1, unit: 'count', atMost: 4 },
      {
        what: `${by}: round trips of each further mail`,
        value: (all - first) / 10,
        unit: 'count',
        atMost: 2,
      },
    )
  }
  const mails = Math.ceil(2_000 * scale)
  const { cpu } = await ratios(bench, { name: 'one connection', port: sink.port, mails, connections: 1 })
  return [
    ...figures,
    {
      what: 'our session: CPU a reply against nodemailer alone',
      value: cpu('postroom', 'nodemailer'),
      unit: 'ratio',
      atMost: 1.15,
    },
    {
      what: 'our session: CPU a reply against a bare TLS socket',
      value: cpu('postroom', 'floor'),
      unit: 'ratio',
    },
    {
      what: 'nodemailer: CPU a reply against a bare TLS socket',
      value: cpu('nodemailer', 'floor'),
      unit: 'ratio',
    },
  ]
}

async function longWay(bench: Bench): Promise<Figure[]> {
  const { sink } = bench
  await sink.counts(wayMs)
  const mails = Math.max(20, Math.ceil(100 * bench.scale))
  const { wall } = await ratios(bench, { name: `${wayMs} ms away`, port: sink.port, mails, connections: 1 })
  await sink.counts(0)
  return [
    {
      what: `our session, ${wayMs} ms away: time a reply against a bare TLS socket`,
      value: wall('postroom', 'floor'),
      unit: 'ratio',
      atMost: 1.05,
    },
  ]
}

async function newConnections(bench: Bench): Promise<Figure[]> {
  const { sink } = bench
  const mails = Math.max(20, Math.ceil(200 * bench.scale))
  const work = { port: sink.port, mails, connections: mails }
  const { cpu } = await ratios(bench, { name: 'a mailbox each', ...work })
  await sink.counts(wayMs)
  const { wall } = await ratios(bench, { name: `a mailbox each, ${wayMs} ms away`, ...work })
  await sink.counts(0)
  return [
    {
      what: 'every reply another mailbox’s: CPU against nodemailer alone',
      value: cpu('postroom', 'nodemailer'),
      unit: 'ratio',
      atMost: 1.1,
    },
    {
      what: `every reply another mailbox’s, ${wayMs} ms away: time against nodemailer`,
      value: wall('postroom', 'nodemailer'),
      unit: 'ratio',
      atMost: 1.02,
    },
  ]
}

/** Claimed, sent, settled and told: everything that the function does, in the code that is deployed. */
async function wholeBundle(bench: Bench): Promise<Figure[]> {
  const { sink, senders, certFile, progress, scale } = bench
  progress('bundling')
  const { file, variables } = await bundleOf('Send')
  const engines = await startEngines()
  const text = 'x'.repeat(replyBytes)
  const count = Math.max(20, Math.ceil(500 * scale))
  const figures: Figure[] = []
  try {
    for (const channelCount of [1, 10]) {
      const stores = await engines.fresh()
      const ground = await openSendingGround(engines, { stores, port: sink.port, channelCount })
      const sender = startSender({ certFile, environment: { ...variables, ...ground.environment } })
      try {
        const measured: { cost: Cost; alone: Cost }[] = []
        let counted = await sink.counts()
        for (let round = 0; round <= rounds; round++) {
          progress(`the bundle, ${channelCount} mailboxes: round ${round} of ${rounds}`)
          const event = await ground.queue(count, text)
          await sink.counts()
          const cost = await sender.perform({ by: 'bundle', file, event })
          counted = await sink.counts()
          if (counted.mails !== count) throw new Error(`${counted.mails} of ${count} replies were sent`)
          const alone = await senders.nodemailer.perform({
            by: 'nodemailer',
            port: sink.port,
            mails: count,
            bytes: replyBytes,
            connections: channelCount,
          })
          if (round > 0) measured.push({ cost, alone })
        }
        const of = channelCount === 1 ? 'one mailbox' : `${channelCount} mailboxes`
        const calls = Object.entries(measured.at(-1)?.cost.calls ?? {}).toSorted()
        figures.push(
          {
            what: `bundle, ${of}: connections`,
            value: counted.connections,
            unit: 'count',
            atMost: channelCount,
          },
          {
            what: `bundle, ${of}: CPU a reply`,
            value: median(measured.map(({ cost }) => cost.cpuMs / count)),
            unit: 'ms',
          },
          {
            what: `bundle, ${of}: CPU a reply against nodemailer alone, ready MIME`,
            value: median(measured.map(({ cost, alone }) => cost.cpuMs / alone.cpuMs)),
            unit: 'ratio',
          },
          {
            what: `bundle, ${of}: replies, engines on the same machine`,
            value: median(measured.map(({ cost }) => (count * 1000) / cost.wallMs)),
            unit: 'per second',
          },
          ...calls.map(([name, times]) => ({
            what: `bundle, ${of}: ${name}, a reply`,
            value: times / count,
            unit: 'count',
          })),
        )
      } finally {
        sender.end()
      }
    }
    return figures
  } finally {
    await engines.close()
  }
}
