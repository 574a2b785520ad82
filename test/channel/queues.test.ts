/** Which queue what goes to: a poll to its provider's, so that what waits for one provider holds up no other. */

import { CreateQueueCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import type { Queues } from '../../functions/channel/queues.ts'
import { openQueues } from '../../functions/channel/sqs-queues.ts'
import { type RunningEngines, startEngines } from '../support/running-engines.ts'

const nowMs = Date.parse('2026-11-26T12:00:00Z')
let engines: RunningEngines
let sqs: SQSClient
let urls: Record<'outbound' | 'poll' | 'microsoft' | 'google' | 'notify', string>
let queues: Queues
let count = 0

beforeAll(async () => {
  engines = await startEngines()
  sqs = new SQSClient({
    endpoint: engines.endpoints.aws,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    useQueueUrlAsEndpoint: false,
  })
})
afterAll(async () => {
  sqs.destroy()
  await engines.close()
})

beforeEach(async () => {
  count += 1
  const make = async (name: string) => {
    const { QueueUrl = '' } = await sqs.send(new CreateQueueCommand({ QueueName: `${name}-${count}` }))
    return QueueUrl
  }
  urls = {
    outbound: await make('outbound'),
    poll: await make('poll'),
    microsoft: await make('microsoft'),
    google: await make('google'),
    notify: await make('notify'),
  }
  queues = openQueues({
    sqs,
    outboundQueueUrl: urls.outbound,
    pollQueueUrl: urls.poll,
    pollQueueUrls: { microsoft: urls.microsoft, google: urls.google },
    notifyQueueUrl: urls.notify,
    now: () => nowMs,
  })
})

/** All that lies in a queue. */
async function bodiesIn(name: keyof typeof urls): Promise<object[]> {
  const bodies: object[] = []
  for (;;) {
    const { Messages = [] } = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: urls[name], MaxNumberOfMessages: 10 }),
    )
    if (Messages.length === 0) return bodies
    bodies.push(...Messages.map(({ Body = '' }) => JSON.parse(Body)))
  }
}

const batch = (provider: string, ...channelIds: string[]) => ({
  provider,
  channelIds,
  intervals: channelIds.map(() => 5),
  delaySeconds: 0,
})

test('batches go to their provider’s queue, those of a provider without one to the queue of the rest', async () => {
  await queues.poll([batch('microsoft', 'm1', 'm2'), batch('google', 'g1'), batch('own-server', 'o1')])
  const sent = (...channelIds: string[]) => [
    { channelIds, intervals: channelIds.map(() => 5), dueAtMs: nowMs },
  ]
  expect(await bodiesIn('microsoft')).toEqual(sent('m1', 'm2'))
  expect(await bodiesIn('google')).toEqual(sent('g1'))
  expect(await bodiesIn('poll')).toEqual(sent('o1'))
})

test('more batches than one call of SQS takes all arrive', async () => {
  await queues.poll(
    Array.from({ length: 23 }, (_, i) => batch(i % 2 === 0 ? 'microsoft' : 'google', `ch_${i}`)),
  )
  expect(await bodiesIn('microsoft')).toHaveLength(12)
  expect(await bodiesIn('google')).toHaveLength(11)
})

test('a provider whose id is a word of JavaScript has no queue by that', async () => {
  await queues.pollNow({ id: 'ch_1', provider: 'constructor' })
  expect(await bodiesIn('poll')).toHaveLength(1)
})

test('a poll that somebody asks for waits with its provider’s, never behind another’s', async () => {
  await queues.pollNow({ id: 'g1', provider: 'google' })
  expect(await bodiesIn('google')).toEqual([{ channelIds: ['g1'], isRequested: true }])
  expect(await bodiesIn('poll')).toEqual([])
})

test('what is no poll goes to the queue of the rest, whoever the provider is', async () => {
  await queues.reparse('msg_1')
  await queues.keepAlive(['ch_1'])
  await queues.checkApps()
  await queues.forget({
    ...{ grantId: 'gr_1', accountId: 'acme', channelId: 'ch_1', provider: 'microsoft' },
    ...{ identity: { oid: '1' }, revoke: true },
  })
  expect((await bodiesIn('poll')).flatMap(Object.keys).sort()).toEqual([
    'checkApps',
    'forget',
    'keepAlive',
    'reparse',
  ])
  expect(await bodiesIn('microsoft')).toEqual([])
})
