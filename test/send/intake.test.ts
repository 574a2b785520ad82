/** What a batch of queue records becomes: doorbells are answered, documents accepted, the hopeless buried. */

import type { SQSRecord } from 'aws-lambda'
import { expect, onTestFinished, test, vi } from 'vitest'
import { type SendServices, send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { addChannel, eventsOf, eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const customer = { address: 'customer@outside.example' }

interface Intake extends SendingChannel {
  services: SendServices
  /** Bodies and codes of what was buried. */
  buried: { body: string; code: string }[]
  /** @returns ids of the records that come back */
  receive(...records: SQSRecord[]): Promise<string[]>
}

async function start(changes: Partial<SendServices> = {}): Promise<Intake> {
  const sending = await startSendingChannel(engines)
  const buried: Intake['buried'] = []
  const services: SendServices = {
    ...sending.bench,
    bury: async ({ body }, code) => void buried.push({ body, code }),
    ...changes,
  }
  return {
    ...sending,
    services,
    buried,
    async receive(...records) {
      const deadlineMs = sending.bench.now() + invocationMs
      const { batchItemFailures } = await send(records, { services, deadlineMs })
      return batchItemFailures.map(({ itemIdentifier }) => itemIdentifier)
    },
  }
}

let records = 0
function record(body: unknown): SQSRecord {
  return {
    messageId: `record-${++records}`,
    body: typeof body === 'string' ? body : JSON.stringify(body),
    receiptHandle: '',
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '',
      SenderId: '',
      ApproximateFirstReceiveTimestamp: '',
    },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: '',
    awsRegion: '',
  }
}

const documentFor = (channelId: string, changes: object = {}) =>
  record({ channelId, idempotencyKey: 'key', to: [customer], subject: 'By queue', text: 'Hi', ...changes })

test('a doorbell drains its channel', async () => {
  const intake = await start()
  await intake.accept('1')
  expect(await intake.receive(record({ channelId: intake.channel.id }))).toEqual([])
  expect(intake.subjects()).toEqual(['1'])
})

test('a message document is accepted and sent', async () => {
  const intake = await start()
  expect(await intake.receive(documentFor(intake.channel.id))).toEqual([])
  expect(intake.subjects()).toEqual(['By queue'])
  expect(intake.buried).toEqual([])
})

test('the same document delivered twice, also in one batch, is one mail', async () => {
  const intake = await start()
  const twice = documentFor(intake.channel.id)
  await intake.receive(twice, documentFor(intake.channel.id))
  await intake.receive(twice)
  expect(intake.subjects()).toEqual(['By queue'])
})

test.each<[string, object, string, string]>([
  ['an address that is none', { to: [{ address: 'nobody' }] }, 'request_invalid', 'to.0.address'],
  ['an unknown field', { subjet: 'x' }, 'request_invalid', 'subjet'],
  ['an unknown parent', { inReplyTo: 'msg_unknown' }, 'request_invalid', 'inReplyTo'],
  ['an Idempotency-Key that is none', { idempotencyKey: 'a b' }, 'request_invalid', 'idempotencyKey'],
  ['no Idempotency-Key', { idempotencyKey: undefined }, 'idempotency_key_missing', 'idempotencyKey'],
  ['an unknown channel', { channelId: 'ch_unknown' }, 'channel_not_found', 'channelId'],
])(
  'a document with %s is buried, and message.rejected names the field',
  async (_what, changes, code, field) => {
    const intake = await start()
    const bad = documentFor(intake.channel.id, changes)
    expect(await intake.receive(bad)).toEqual([])
    expect(intake.buried).toEqual([{ body: bad.body, code }])
    const account = code === 'channel_not_found' ? '-' : 'acme'
    const [event] = await eventsOf(intake.bench, account)
    expect(event).toMatchObject({
      type: 'message.rejected',
      data: { fault: { code }, queueMessageId: bad.messageId },
    })
    expect(event?.data.errors).toMatchObject([{ field }])
  },
)

test('the same key with another document is buried as a conflict', async () => {
  const intake = await start()
  await intake.receive(documentFor(intake.channel.id), documentFor(intake.channel.id, { text: 'Other' }))
  expect(intake.buried.map(({ code }) => code)).toEqual(['idempotency_conflict'])
  expect(intake.subjects()).toEqual(['By queue'])
})

test.each(['', 'no json', '[]', '7', 'null', '{"channelId":7}', '{"channelIds":["ch_1"]}'])(
  'the record %j is buried and told to the operator',
  async body => {
    const intake = await start()
    expect(await intake.receive(record(body))).toEqual([])
    expect(intake.buried).toHaveLength(1)
    expect(await eventTypes(intake.bench, '-')).toEqual(['message.rejected'])
  },
)

test('a rejected record that could not be buried comes back, and is told once', async () => {
  let failures = 1
  const intake = await start({
    bury: async () => {
      if (failures-- > 0) throw new Error('SQS is down')
    },
  })
  const bad = documentFor(intake.channel.id, { to: [] })
  expect(await intake.receive(bad)).toEqual([bad.messageId])
  expect(await intake.receive(bad)).toEqual([])
  expect(await eventTypes(intake.bench)).toEqual(['message.rejected'])
})

test('a fault that passes brings the record back, and buries nothing', async () => {
  const intake = await start()
  const document = documentFor(intake.channel.id)
  intake.bench.stores.failWhen(({ service }) => service === 's3')
  expect(await intake.receive(document)).toEqual([document.messageId])
  expect(intake.buried).toEqual([])
  intake.bench.stores.failWhen(() => false)
  expect(await intake.receive(document)).toEqual([])
  expect(intake.subjects()).toEqual(['By queue'])
})

test('only the records of a channel that fails come back', async () => {
  const intake = await start()
  const broken = await addChannel(intake.bench)
  await intake.bench.main.put({ pk: `OUTBOX#${broken.id}`, sk: '2026-11-24T10:00:00.000Z#damaged' })
  await intake.accept('1')
  const rings = [record({ channelId: broken.id }), record({ channelId: broken.id })]
  const failed = await intake.receive(...rings, record({ channelId: intake.channel.id }))
  expect(failed).toEqual(rings.map(({ messageId }) => messageId))
  expect(intake.subjects()).toEqual(['1'])
})

test('a rejected document does not keep the batch’s others from being sent', async () => {
  const intake = await start()
  await intake.receive(
    documentFor(intake.channel.id, { to: [] }),
    documentFor(intake.channel.id, { idempotencyKey: 'good' }),
  )
  expect(intake.subjects()).toEqual(['By queue'])
})

test('I7: a document that is slow to take in delays no other channel', async () => {
  const intake = await start()
  const slow = await addChannel(intake.bench, { accountId: 'slow' })
  await intake.accept('quick')
  // S3 is slow for one of them, until the other's mail has left.
  const { promise: quickLeft, resolve } = Promise.withResolvers<void>()
  intake.smtp.beforeAccept = async () => resolve()
  const { put } = intake.services.mail
  intake.services.mail = {
    ...intake.services.mail,
    async put(key, ...rest) {
      if (key.includes('/slow/')) await quickLeft
      return put(key, ...rest)
    },
  }
  await intake.receive(documentFor(slow.id, { subject: 'slow' }), record({ channelId: intake.channel.id }))
  expect(intake.subjects()).toEqual(['quick', 'slow'])
})

test('I9: nothing of a mail or a token is logged', async () => {
  const lines: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(line => lines.push(String(line)) > 0)
  onTestFinished(() => spy.mockRestore())
  const intake = await start()
  intake.smtp.always.auth = '454 4.7.0 Temporary authentication failure'
  await intake.receive(
    documentFor(intake.channel.id, { text: 'secret text' }),
    record('{"text":"secret text"'),
    record({ channelId: 'ch_x', text: 'secret text' }),
  )
  intake.bench.stores.failWhen(({ service }) => service === 's3')
  await intake.receive(documentFor(intake.channel.id, { idempotencyKey: 'other', text: 'secret text' }))
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.join('\n')).not.toMatch(/secret text|access-\d|refresh-\d|customer@/)
})
