/** Queues as event sources: batches, partial failures, dead letters, topics. */

import { PublishCommand, SNSClient } from '@aws-sdk/client-sns'
import {
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test, vi } from 'vitest'
import { failedItems } from '../../infra/local/queue-source.ts'
import {
  clientDefaults,
  type HandMadeApp,
  queueFor,
  queueOutputs,
  type RunningApp,
  runApp,
} from './hand-made-app.ts'

/** Logs each batch; a body tells what shall become of its message. */
const code = `
export async function handler(event) {
  console.log(JSON.stringify({ Records: event.Records }))
  if (event.Records.some(({ body }) => body === 'throw')) throw new Error('whole batch')
  if (event.Records.some(({ body }) => body === 'malformed')) return { batchItemFailures: [{ itemIdentifier: '' }] }
  if (event.Records.some(({ body }) => body === 'wait')) await new Promise(() => setInterval(() => {}, 1000))
  const failed = event.Records.filter(({ body }) => body.startsWith('poison'))
  return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
}`

async function run(queue: Parameters<typeof queueFor>[1] = {}, more: HandMadeApp = {}) {
  const app = await runApp({
    resources: { ...queueFor('Work0', queue), ...more.resources },
    functions: { Work0: { code, timeoutSeconds: 20 } },
    outputs: { ...queueOutputs, ...more.outputs },
  })
  const client = new SQSClient({ ...clientDefaults, endpoint: app.cloud.endpoints.aws })
  onTestFinished(async () => {
    client.destroy()
    await app.end()
  })
  return { app, client }
}

interface SeenRecord {
  messageId: string
  body: string
  attributes: Record<string, string>
}

function recordsOf({ lines }: RunningApp): SeenRecord[] {
  return lines.flatMap(({ record }) => (record as { Records: SeenRecord[] } | undefined)?.Records ?? [])
}

async function send(client: SQSClient, url: string | undefined, bodies: string[]): Promise<void> {
  const Entries = bodies.map((MessageBody, index) => ({ Id: String(index), MessageBody }))
  await client.send(new SendMessageBatchCommand({ QueueUrl: url, Entries }))
}

async function left(client: SQSClient, url: string | undefined): Promise<number> {
  const { Attributes } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
  )
  return (
    Number(Attributes?.ApproximateNumberOfMessages) +
    Number(Attributes?.ApproximateNumberOfMessagesNotVisible)
  )
}

test('records have the shape that Lambda gives them', async () => {
  const { app, client } = await run()
  await client.send(
    new SendMessageCommand({
      QueueUrl: app.cloud.outputs.Work,
      MessageBody: 'hello',
      MessageAttributes: { kind: { DataType: 'String', StringValue: 'greeting' } },
    }),
  )
  await vi.waitFor(() => expect(recordsOf(app)).toHaveLength(1), 5_000)
  expect(recordsOf(app)[0]).toMatchObject({
    messageId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    receiptHandle: expect.any(String),
    body: 'hello',
    attributes: { ApproximateReceiveCount: '1', SentTimestamp: expect.stringMatching(/^\d{13}$/) },
    messageAttributes: { kind: { stringValue: 'greeting', dataType: 'String' } },
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:000000000000:App-Work',
    awsRegion: 'us-east-1',
  })
})

test('only what failed is left in the queue', async () => {
  const { app, client } = await run()
  await send(client, app.cloud.outputs.Work, ['good 1', 'poison', 'good 2'])
  await vi.waitFor(async () => {
    expect(recordsOf(app)).toHaveLength(3)
    expect(await left(client, app.cloud.outputs.Work)).toBe(1)
  }, 5_000)
})

test.for(['throw', 'malformed'])('a batch that fails as a whole (%s) is left as a whole', async how => {
  const { app, client } = await run()
  await send(client, app.cloud.outputs.Work, ['good', how])
  await vi.waitFor(() => expect(recordsOf(app).map(({ body }) => body)).toContain(how), 5_000)
  const inOneBatch = recordsOf(app).length
  // A later message that is done with shows that the deletions of the first batch would have been made by now.
  await send(client, app.cloud.outputs.Work, ['later'])
  await vi.waitFor(async () => {
    expect(recordsOf(app)).toHaveLength(inOneBatch + 1)
    expect(await left(client, app.cloud.outputs.Work)).toBe(2)
  }, 5_000)
})

test('a poisoned message comes back after each visibility time-out and ends with the dead letters', async () => {
  const { app, client } = await run({ visibilitySeconds: 1, maxReceiveCount: 2 })
  await send(client, app.cloud.outputs.Work, ['poison'])
  const { Messages = [] } = await client.send(
    new ReceiveMessageCommand({ QueueUrl: app.cloud.outputs.Dead, WaitTimeSeconds: 10 }),
  )
  expect(Messages.map(({ Body }) => Body)).toEqual(['poison'])
  expect(recordsOf(app).map(({ attributes }) => attributes.ApproximateReceiveCount)).toEqual(['1', '2'])
  expect(await left(client, app.cloud.outputs.Work)).toBe(0)
}, 10_000)

test('a batch holds no more messages than the mapping says', async () => {
  const { app, client } = await run({ batchSize: 2 })
  await send(client, app.cloud.outputs.Work, ['1', '2', '3', '4', '5'])
  await vi.waitFor(() => expect(recordsOf(app)).toHaveLength(5), 5_000)
  const sizes = app.lines.map(({ record }) => (record as { Records: [] } | undefined)?.Records.length ?? 0)
  expect(Math.max(...sizes)).toBe(2)
})

test('a batch that takes long does not delay the next', async () => {
  const { app, client } = await run({ batchSize: 1 })
  await send(client, app.cloud.outputs.Work, ['wait'])
  await vi.waitFor(() => expect(recordsOf(app)).toHaveLength(1), 5_000)
  await send(client, app.cloud.outputs.Work, ['next'])
  await vi.waitFor(async () => expect(await left(client, app.cloud.outputs.Work)).toBe(1), 5_000)
  await app.cloud.kill('Work0')
})

test('a queue whose batches hang holds as many invocations as it may, and another queue of the function goes on', async () => {
  const second = Object.fromEntries(
    Object.entries(queueFor('Work0', { batchSize: 1, maxConcurrency: 2 })).map(([id, resource]) => [
      `Second${id}`,
      JSON.parse(
        JSON.stringify(resource).replaceAll('"Work"', '"SecondWork"').replaceAll('"Dead"', '"SecondDead"'),
      ),
    ]),
  )
  const { app, client } = await run(
    { batchSize: 1, maxConcurrency: 2 },
    { resources: second, outputs: { Second: { Value: { Ref: 'SecondWork' } } } },
  )
  await send(client, app.cloud.outputs.Work, ['wait', 'wait', 'wait'])
  await vi.waitFor(() => expect(recordsOf(app)).toHaveLength(2), 5_000)
  await send(client, app.cloud.outputs.Second, ['next'])
  await vi.waitFor(async () => expect(await left(client, app.cloud.outputs.Second)).toBe(0), 5_000)
  expect(recordsOf(app).map(({ body }) => body)).toEqual(['wait', 'wait', 'next'])
  await app.cloud.kill('Work0')
})

test('a topic delivers to a subscribed queue, raw and filtered as the template says', async () => {
  const { app } = await run(
    {},
    {
      resources: {
        News: { Type: 'AWS::SNS::Topic' },
        Subscription: {
          Type: 'AWS::SNS::Subscription',
          Properties: {
            TopicArn: { Ref: 'News' },
            Protocol: 'sqs',
            Endpoint: { 'Fn::GetAtt': ['Work', 'Arn'] },
            RawMessageDelivery: true,
            FilterPolicy: { kind: ['wanted'] },
          },
        },
      },
      outputs: { News: { Value: { Ref: 'News' } } },
    },
  )
  const client = new SNSClient({ ...clientDefaults, endpoint: app.cloud.endpoints.aws })
  for (const kind of ['unwanted', 'wanted']) {
    await client.send(
      new PublishCommand({
        TopicArn: app.cloud.outputs.News,
        Message: `news: ${kind}`,
        MessageAttributes: { kind: { DataType: 'String', StringValue: kind } },
      }),
    )
  }
  await vi.waitFor(() => expect(recordsOf(app).map(({ body }) => body)).toEqual(['news: wanted']), 5_000)
  client.destroy()
})

test.for([
  ['null', null, []],
  ['an empty object', {}, []],
  ['an empty list', { batchItemFailures: [] }, []],
  ['null instead of a list', { batchItemFailures: null }, []],
  ['one id', { batchItemFailures: [{ itemIdentifier: 'b' }] }, ['b']],
  ['an id of another batch', { batchItemFailures: [{ itemIdentifier: 'x' }] }, ['a', 'b']],
  ['a null id', { batchItemFailures: [{ itemIdentifier: null }] }, ['a', 'b']],
  ['a misspelled key', { batchItemFailures: [{ itemIdentifer: 'a' }] }, ['a', 'b']],
  ['no list', { batchItemFailures: 'a' }, ['a', 'b']],
  ['text', 'done', ['a', 'b']],
] as const)('failedItems() reads %s', ([, result, expected]) => {
  expect([...failedItems(result, [{ MessageId: 'a' }, { MessageId: 'b' }])]).toEqual(expected)
})
