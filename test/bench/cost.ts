/**
 * CPU of what Postroom does most, in the deployed bundles: what infra/cost/units.ts says was measured. Each bundle runs in
 * a process of its own, warm, against Dovecot, an SMTP sink and the AWS engines, whose CPU is not counted.
 */

import { join } from 'node:path'
import { CreateQueueCommand, SQSClient } from '@aws-sdk/client-sqs'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { missingForMail } from '../servers/installed.ts'
import { bundleOf, openSendingGround, type SendingGround } from '../support/bundled-sender.ts'
import { httpRequest } from '../support/http-requests.ts'
import { type RunningEngines, startEngines } from '../support/running-engines.ts'
import { type SenderProcess, startSender } from '../support/sender-process.ts'
import { addChannel } from '../support/workbench.ts'
import { type Benchmark, type Figure, median } from './figures.ts'
import { type MailServerUnderTest, startMailServer } from './mail-server.ts'
import { type Sink, startSink } from './sink.ts'

const region = 'us-east-1'
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const rounds = 5
const warmUps = 3
/** As many as are polled by one invocation. */
const mailboxes = 50
/** As the queue's mapping gives them to `send`. */
const doorbellsAtOnce = 10
const mailBytes = 75_000
const text = 'The order has not come yet. '.repeat(75)

interface Bench {
  server: MailServerUnderTest
  sink: Sink
  engines: RunningEngines
  progress(line: string): void
}

export const costing: Benchmark = {
  title:
    'CPU of a poll, a mail in, a mail out, an empty minute, an event told: what infra/cost.md calculates with',
  async run(progress) {
    if (missingForMail !== null) {
      progress(`skipped: ${missingForMail}`)
      return []
    }
    const server = await startMailServer()
    const sink = await startSink(await localhostCertificate(join(server.folder, 'certificate')))
    const engines = await startEngines()
    const sqs = new SQSClient({ region, endpoint: engines.endpoints.aws, credentials })
    for (const QueueName of ['outbound', 'poll', 'notify'])
      await sqs.send(new CreateQueueCommand({ QueueName }))
    try {
      const bench = { server, sink, engines, progress }
      return [
        ...(await polls(bench)),
        await accepted(bench),
        await sent(bench),
        await minutes(bench),
        await events(bench),
      ]
    } finally {
      await Promise.all([server.close(), sink.close(), engines.close()])
    }
  },
}

interface Ground extends SendingGround {
  invoke(event: object): Promise<number>
  end(): void
}

/** A bundle in a process of its own. */
async function groundOf(name: string, { server, sink, engines }: Bench): Promise<Ground> {
  const { file, variables } = await bundleOf(name)
  const stores = await engines.fresh()
  const imap = { host: 'localhost', port: server.port, security: 'tls' } as const
  const provider = { imap }
  const ground = await openSendingGround(engines, {
    stores,
    port: sink.port,
    channelCount: 0,
    provider,
  })
  for (let index = 0; index < mailboxes; index++) {
    const user = `user${index}@bench.example`
    const tokens = { accessToken: `for-${user}` }
    ground.channels.push(await addChannel(ground.bench, { login: { imap: user, smtp: user }, tokens }))
  }
  const environment = { ...variables, ...ground.environment }
  const sender: SenderProcess = startSender({ certFile: server.certFile, environment })
  return {
    ...ground,
    invoke: async event => (await sender.perform({ by: 'bundle', file, event })).cpuMs,
    end: () => sender.end(),
  }
}

/** The middle of some rounds, after some that warm up. */
async function measure(
  what: string,
  { progress }: Bench,
  { times, work }: { times: number; work(round: number): Promise<number> },
): Promise<Figure> {
  const values: number[] = []
  for (let round = 0; round < warmUps + rounds; round++) {
    progress(`${what}: ${round < warmUps ? 'warming up' : `round ${round - warmUps + 1} of ${rounds}`}`)
    const cpuMs = await work(round)
    if (round >= warmUps) values.push(cpuMs / times)
  }
  return { what, value: median(values), unit: 'ms' }
}

async function polls(bench: Bench): Promise<Figure[]> {
  const { server } = bench
  const ground = await groundOf('Fetch', bench)
  try {
    const users = ground.channels.map(({ login }) => login.imap)
    const channelIds = ground.channels.map(({ id }) => id)
    const intervals = channelIds.map(() => 5)
    const record = { messageId: '1', body: JSON.stringify({ channelIds, intervals }) }
    const invoke = () => ground.invoke({ Records: [record] })
    for (const user of users) await server.fill(user, [])
    await invoke()
    const idle = await measure('idle poll', bench, { times: mailboxes, work: invoke })
    const mails: Buffer[] = []
    const busy = await measure('poll that brings one mail', bench, {
      times: mailboxes,
      async work(round) {
        mails.push(letter(round))
        for (const user of users) await server.fill(user, mails)
        return invoke()
      },
    })
    const [first] = ground.channels
    const query = { channelId: first?.id ?? '', direction: 'inbound', after: undefined, limit: 100 } as const
    const came = (await ground.bench.messages.list(query)).items.length
    if (came !== mails.length) throw new Error(`${came} of ${mails.length} mails came`)
    return [idle, { what: 'mail received, on top of the poll', value: busy.value - idle.value, unit: 'ms' }]
  } finally {
    ground.end()
  }
}

async function accepted(bench: Bench): Promise<Figure> {
  const ground = await groundOf('Api', bench)
  let key = 0
  try {
    return await measure('message accepted by the API', bench, {
      times: mailboxes,
      async work() {
        let cpuMs = 0
        for (const { id } of ground.channels) {
          const headers = { 'idempotency-key': `key-${++key}` }
          const body = { to: [{ address: 'customer@outside.example' }], subject: 'Hello', text }
          cpuMs += await ground.invoke(httpRequest(`POST /v1/channels/${id}/messages`, { headers, body }))
        }
        return cpuMs
      },
    })
  } finally {
    ground.end()
  }
}

async function sent(bench: Bench): Promise<Figure> {
  const ground = await groundOf('Send', bench)
  try {
    return await measure('message sent, on a session of its own', bench, {
      times: mailboxes,
      async work() {
        // One mail a mailbox; a drain has one session.
        const { Records } = await ground.queue(mailboxes, 'x'.repeat(mailBytes))
        await bench.sink.counts()
        let cpuMs = 0
        for (let from = 0; from < Records.length; from += doorbellsAtOnce)
          cpuMs += await ground.invoke({ Records: Records.slice(from, from + doorbellsAtOnce) })
        const { mails, connections } = await bench.sink.counts()
        if (mails !== mailboxes || connections !== mailboxes) throw new Error(`${mails} mails were sent`)
        return cpuMs
      },
    })
  } finally {
    ground.end()
  }
}

async function minutes(bench: Bench): Promise<Figure> {
  const ground = await groundOf('Schedule', bench)
  try {
    return await measure('minute', bench, { times: 1, work: () => ground.invoke({}) })
  } finally {
    ground.end()
  }
}

async function events(bench: Bench): Promise<Figure> {
  const ground = await groundOf('NotifyWebhooks', bench)
  try {
    const [channel] = ground.channels
    const subject = 'msg_1'
    const event = {
      id: 'evt_1',
      type: 'message.received',
      accountId: channel?.accountId,
      channelId: channel?.id,
      occurredAt: new Date().toISOString(),
      data: { message: { id: subject } },
    }
    const record = { messageId: '1', body: JSON.stringify(event) }
    return await measure('event that no webhook wants', bench, {
      times: 20,
      async work() {
        let cpuMs = 0
        for (let time = 0; time < 20; time++) cpuMs += await ground.invoke({ Records: [record] })
        return cpuMs
      },
    })
  } finally {
    ground.end()
  }
}

function letter(number: number): Buffer {
  const base64 = `${'QUJD'.repeat(19)}\r\n`
  return Buffer.from(
    [
      `Message-ID: <letter-${number}@outside.example>`,
      'Date: Mon, 05 Oct 2026 10:00:00 +0000',
      'From: Customer <customer@outside.example>',
      'To: support@bench.example',
      `Subject: Letter ${number}`,
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=part',
      '',
      '--part',
      'Content-Type: text/plain; charset=utf-8',
      '',
      text,
      '--part',
      'Content-Type: application/octet-stream; name=data.bin',
      'Content-Disposition: attachment; filename=data.bin',
      'Content-Transfer-Encoding: base64',
      '',
      base64.repeat(Math.ceil((mailBytes - 2_500) / base64.length)),
      '--part--',
      '',
    ].join('\r\n'),
  )
}
