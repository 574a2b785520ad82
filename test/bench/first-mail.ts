/**
 * The first mail of a new process: loading, and the whole first call, which sends or receives one mail and so loads what a
 * start leaves for later. Each in turn with a floor that does the least of the same work with the bare libraries.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { GenerateDataKeyCommand } from '@aws-sdk/client-kms'
import { PutObjectCommand } from '@aws-sdk/client-s3'
import { bundle } from '../../infra/bundle.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { missingForMail } from '../servers/installed.ts'
import { bundleOf, openSendingGround, type SendingGround } from '../support/bundled-sender.ts'
import { type RunningEngines, type Stores, startEngines } from '../support/running-engines.ts'
import { addChannel } from '../support/workbench.ts'
import type { MailIn } from './cold-floors/mail-in.ts'
import type { MailOut } from './cold-floors/mail-out.ts'
import { type ColdStart, startCold } from './cold-start.ts'
import { type Figure, median } from './figures.ts'
import { type MailServerUnderTest, startMailServer } from './mail-server.ts'
import { bundleInOneFile } from './one-file.ts'
import { type Sink, startSink } from './sink.ts'
import { startTlsFront } from './tls-front.ts'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const user = 'ada@bench.example'
const accessToken = `for-${user}`
const text = 'The order has not come yet. '.repeat(75)

interface Bench {
  /** Where the floors are, and the program that is one cold start. */
  folder: string
  certFile: string
  engines: RunningEngines
  server: MailServerUnderTest
  sink: Sink
  rounds: number
  progress(line: string): void
}

export async function firstMails(progress: (line: string) => void, rounds: number): Promise<Figure[]> {
  if (missingForMail !== null) {
    progress(`first mails skipped: ${missingForMail}`)
    return []
  }
  const folder = await mkdtemp(join(tmpdir(), 'postroom-first-mail-'))
  const server = await startMailServer()
  const certificate = await localhostCertificate(join(server.folder, 'certificate'))
  const sink = await startSink(certificate)
  const plain = await startEngines()
  const { aws, dynamodb, kms } = plain.endpoints
  const fronts = await Promise.all([aws, dynamodb, kms].map(url => startTlsFront(url, certificate)))
  try {
    const [awsUrl = '', dynamodbUrl = '', kmsUrl = ''] = fronts.map(({ url }) => url)
    const engines = { ...plain, endpoints: { aws: awsUrl, dynamodb: dynamodbUrl, kms: kmsUrl } }
    bundle({ process: 'cold-process.ts' }, here('.'), folder)
    for (const floor of ['mail-in', 'mail-out']) {
      bundleInOneFile(here(`cold-floors/${floor}.ts`), join(folder, `${floor}.mjs`))
    }
    const bench = { folder, certFile: certificate.certFile, engines, server, sink, rounds, progress }
    return [...(await mailOut(bench)), ...(await mailIn(bench))]
  } finally {
    for (const front of fronts) front.close()
    await Promise.all([
      server.close(),
      sink.close(),
      plain.close(),
      rm(folder, { recursive: true, force: true }),
    ])
  }
}

interface Ground extends SendingGround {
  stores: Stores
  /** The deployed bundle. */
  bundled: string
  /** Starts a new process with this file, until its handler has answered. */
  first(file: string, event: object): Promise<ColdStart>
  /** A data key, wrapped, for the floor to have unwrapped. */
  wrappedKey: string
}

async function groundOf(name: string, { engines, server, sink, folder, certFile }: Bench): Promise<Ground> {
  const { file: bundled, variables } = await bundleOf(name)
  const stores = await engines.fresh()
  const imap = { host: 'localhost', port: server.port, security: 'tls' } as const
  const ground = await openSendingGround(engines, {
    stores,
    port: sink.port,
    channelCount: 0,
    provider: { imap },
  })
  const channel = await addChannel(ground.bench, {
    login: { imap: user, smtp: user },
    tokens: { accessToken },
  })
  ground.channels.push(channel)
  const key = await stores.kms.send(new GenerateDataKeyCommand({ KeyId: stores.keyArn, KeySpec: 'AES_256' }))
  const environment = { ...variables, ...ground.environment, NODE_EXTRA_CA_CERTS: certFile }
  return {
    ...ground,
    stores,
    bundled,
    wrappedKey: Buffer.from(key.CiphertextBlob ?? []).toString('base64'),
    first(file, event) {
      const one = { name: file, file, environment, event }
      return startCold(join(folder, 'process.mjs'), one)
    },
  }
}

/** Both in turn, the other way round each time. */
async function compare(
  what: string,
  { rounds, progress }: Bench,
  works: { ours(round: number): Promise<ColdStart>; floor(): Promise<ColdStart> },
): Promise<Figure[]> {
  const ours: ColdStart[] = []
  const floor: ColdStart[] = []
  for (let round = 0; round < rounds; round++) {
    progress(`${what}, round ${round + 1} of ${rounds}`)
    if (round % 2 === 0) ours.push(await works.ours(round))
    floor.push(await works.floor())
    if (round % 2 === 1) ours.push(await works.ours(round))
  }
  const wallMs = ({ initMs, firstMs }: ColdStart) => initMs + firstMs
  const ratio = (of: (start: ColdStart) => number) => median(ours.map(of)) / median(floor.map(of))
  return [
    { what: `${what}: loading and the whole first call`, value: median(ours.map(wallMs)), unit: 'ms' },
    { what: `${what}: the same, to the bare libraries'`, value: ratio(wallMs), unit: 'ratio' },
    { what: `${what}: its CPU, to theirs`, value: ratio(({ cpuMs }) => cpuMs), unit: 'ratio' },
  ]
}

async function mailOut(bench: Bench): Promise<Figure[]> {
  const { sink, folder } = bench
  const ground = await groundOf('Send', bench)
  const { stores, bundled, wrappedKey, first } = ground
  const objectKey = 'floor/raw.eml'
  const [from, to] = [user, 'customer@outside.example']
  await stores.s3.send(new PutObjectCommand({ Bucket: stores.bucket, Key: objectKey, Body: letter(0) }))
  const { bucket, topicArn } = stores
  const table = stores.mainTable
  const mail: MailOut = {
    ...{ table, bucket, objectKey, wrappedKey, topicArn, user, accessToken, from, to },
    port: sink.port,
  }
  const sending = async (work: Promise<ColdStart>) => {
    const start = await work
    const { mails } = await sink.counts()
    if (mails !== 1) throw new Error(`${mails} mails were sent instead of one`)
    return start
  }
  await sink.counts()
  return compare('first mail out', bench, {
    ours: async () => sending(first(bundled, await ground.queue(1, text))),
    floor: () => sending(first(join(folder, 'mail-out.mjs'), mail)),
  })
}

async function mailIn(bench: Bench): Promise<Figure[]> {
  const { server, folder } = bench
  const ground = await groundOf('Fetch', bench)
  const { stores, bundled, wrappedKey, first } = ground
  const { bucket, topicArn } = stores
  const mail: MailIn = {
    ...{ table: stores.mainTable, bucket, wrappedKey, topicArn, user, accessToken },
    port: server.port,
  }
  const [channel] = ground.channels
  const channelId = channel?.id ?? ''
  const record = { messageId: '1', body: JSON.stringify({ channelIds: [channelId], intervals: [5] }) }
  const event = { Records: [record] }
  const mails: Buffer[] = []
  // The first poll of all finds where the mailbox ends.
  await server.fill(user, mails)
  await first(bundled, event)
  return compare('first mail in', bench, {
    async ours(round) {
      mails.push(letter(round))
      await server.fill(user, mails)
      const start = await first(bundled, event)
      const query = { channelId, direction: 'inbound', after: undefined, limit: 100 } as const
      const { items } = await ground.bench.messages.list(query)
      if (items.length !== mails.length) throw new Error(`${items.length} of ${mails.length} mails came`)
      return start
    },
    floor: () => first(join(folder, 'mail-in.mjs'), mail),
  })
}

function letter(number: number): Buffer {
  return Buffer.from(
    [
      `Message-ID: <letter-${number}@outside.example>`,
      'Date: Mon, 05 Oct 2026 10:00:00 +0000',
      'From: Customer <customer@outside.example>',
      `To: ${user}`,
      `Subject: Letter ${number}`,
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      '',
      text,
      '',
    ].join('\r\n'),
  )
}
