/** The real CDK app: it synthesizes once per change of its sources, and the local cloud runs all of it. */

import { rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DescribeTableCommand, DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { GetQueueAttributesCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Cloud, startCloud } from '../../infra/local/cloud.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { apiKey, clientDefaults, makeFolder } from './hand-made-app.ts'

/** Kept between runs: to synthesize takes as long as all other tests of this folder. */
const folder = fileURLToPath(new URL('../../node_modules/.cache/postroom/assembly', import.meta.url))
let root: string
let cloud: Cloud

beforeAll(async () => {
  root = await makeFolder()
  const assembly = await synthesize({ folder })
  cloud = await startCloud({
    assembly,
    folder: join(root, 'data'),
    port: 0,
    apiKey,
    secrets: { OAuthApps: '{}' },
    environment: {},
    log: () => {},
  })
}, 60_000)
afterAll(async () => {
  await cloud?.close()
  await rm(root, { recursive: true, force: true })
})

test('an assembly of the same sources is taken as it is', async () => {
  const manifest = join(folder, 'manifest.json')
  await utimes(manifest, 1, 1)
  await synthesize({ folder })
  expect((await stat(manifest)).mtimeMs).toBe(1_000)
})

test('both tables exist, with their indexes', async () => {
  const client = new DynamoDBClient({ ...clientDefaults, endpoint: cloud.endpoints.dynamodb })
  const { TableNames = [] } = await client.send(new ListTablesCommand({}))
  expect(TableNames).toEqual([
    expect.stringMatching(/^PostroomData-Main/),
    expect.stringMatching(/^PostroomData-Secrets/),
  ])
  const { Table } = await client.send(new DescribeTableCommand({ TableName: TableNames[0] }))
  expect(Table?.GlobalSecondaryIndexes?.map(({ IndexName }) => IndexName).sort()).toEqual(['due', 'listing'])
  client.destroy()
})

test('the outbound queue is at its URL, with visibility and dead letters of the template', async () => {
  const client = new SQSClient({ ...clientDefaults, endpoint: cloud.endpoints.aws })
  const { OutboundQueueUrl } = cloud.outputs
  expect(OutboundQueueUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/000000000000\/Postroom-Outbound/)
  const { Attributes = {} } = await client.send(
    new GetQueueAttributesCommand({ QueueUrl: OutboundQueueUrl, AttributeNames: ['All'] }),
  )
  expect(Attributes).toMatchObject({ VisibilityTimeout: '360', MessageRetentionPeriod: '1209600' })
  expect(JSON.parse(Attributes.RedrivePolicy ?? '')).toMatchObject({ maxReceiveCount: 5 })
  client.destroy()
})

test('the outputs name topic, secret and origin', () => {
  expect(cloud.outputs).toMatchObject({
    Url: cloud.url,
    EventsTopicArn: expect.stringMatching(/^arn:aws:sns:us-east-1:000000000000:/),
    OAuthAppsSecretArn: expect.stringMatching(/^arn:aws:secretsmanager:/),
  })
})

test('all five functions boot from their bundles', async () => {
  for (const name of ['Connect', 'Api', 'Send', 'Schedule', 'Fetch']) {
    // An event that no handler expects: the function may refuse it, but it must have been loaded.
    const failure = await cloud.invoke(name, {}).then(
      () => undefined,
      error => error,
    )
    expect(failure?.errorType ?? '', `${name}: ${failure?.message}`).not.toMatch(
      /^Runtime|^SyntaxError|MODULE/,
    )
  }
}, 20_000)

test('the API asks for the key, the connect page does not', async () => {
  expect((await fetch(`${cloud.url}/v1/channels`)).status).toBe(401)
  expect((await fetch(`${cloud.url}/connect/no-such-ticket`)).status).not.toBe(401)
})
