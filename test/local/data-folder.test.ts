/** What is stored survives a restart, and a folder that cannot be used is named in one sentence. */

import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateTableCommand, DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { ReceiveMessageCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, onTestFinished, test } from 'vitest'
import { type Cloud, startCloud } from '../../infra/local/cloud.ts'
import { openDataFolder } from '../../infra/local/data-folder.ts'
import { LocalError } from '../../infra/local/local-error.ts'
import { clientDefaults, queueFor, queueOutputs, runApp } from './hand-made-app.ts'

const app = {
  resources: {
    Things: {
      Type: 'AWS::DynamoDB::GlobalTable',
      Properties: {
        AttributeDefinitions: ['pk', 'sk', 'by'].map(AttributeName => ({
          AttributeName,
          AttributeType: 'S',
        })),
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'byOwner',
            KeySchema: [{ AttributeName: 'by', KeyType: 'HASH' }],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
        Replicas: [{ Region: { Ref: 'AWS::Region' }, DeletionProtectionEnabled: true }],
        TimeToLiveSpecification: { AttributeName: 'ttl', Enabled: true },
      },
    },
    Letters: { Type: 'AWS::S3::Bucket', Properties: {} },
    Wrap: { Type: 'AWS::KMS::Key', Properties: {} },
    Jobs: { Type: 'AWS::SQS::Queue', Properties: { VisibilityTimeout: 360 } },
  },
  outputs: {
    Things: { Value: { Ref: 'Things' } },
    Letters: { Value: { Ref: 'Letters' } },
    Wrap: { Value: { 'Fn::GetAtt': ['Wrap', 'Arn'] } },
    Jobs: { Value: { Ref: 'Jobs' } },
  },
}

function clientsOf({ endpoints }: Cloud) {
  const clients = {
    dynamodb: new DynamoDBClient({ ...clientDefaults, endpoint: endpoints.dynamodb }),
    kms: new KMSClient({ ...clientDefaults, endpoint: endpoints.kms }),
    s3: new S3Client({ ...clientDefaults, endpoint: endpoints.aws }),
    sqs: new SQSClient({ ...clientDefaults, endpoint: endpoints.aws }),
  }
  onTestFinished(() => {
    for (const client of Object.values(clients)) client.destroy()
  })
  return clients
}

test('a restart over the same folder and ports finds items, messages, objects and keys again', async () => {
  const first = await runApp(app)
  onTestFinished(first.end)
  const { outputs, ports } = first.cloud
  const before = clientsOf(first.cloud)
  const item = { pk: { S: 'a' }, sk: { S: '1' }, text: { S: 'kept' } }
  const mail = randomBytes(12 * 1024 * 1024)
  const context = { channel: 'c1' }
  await before.dynamodb.send(new PutItemCommand({ TableName: outputs.Things, Item: item }))
  await before.s3.send(new PutObjectCommand({ Bucket: outputs.Letters, Key: 'in/1.eml', Body: mail }))
  await before.sqs.send(new SendMessageCommand({ QueueUrl: outputs.Jobs, MessageBody: 'kept' }))
  const key = await before.kms.send(
    new GenerateDataKeyCommand({ KeyId: outputs.Wrap, KeySpec: 'AES_256', EncryptionContext: context }),
  )
  await first.cloud.close()

  const second = await startCloud({ ...first.options, enginePorts: ports })
  onTestFinished(() => second.close())
  expect(second.outputs).toEqual(outputs)
  const after = clientsOf(second)
  const got = await after.dynamodb.send(
    new GetItemCommand({ TableName: outputs.Things, Key: { pk: { S: 'a' }, sk: { S: '1' } } }),
  )
  expect(got.Item).toEqual(item)
  const object = await after.s3.send(new GetObjectCommand({ Bucket: outputs.Letters, Key: 'in/1.eml' }))
  expect(mail.equals((await object.Body?.transformToByteArray()) ?? Buffer.of())).toBe(true)
  const received = await after.sqs.send(new ReceiveMessageCommand({ QueueUrl: outputs.Jobs }))
  expect(received.Messages?.[0]?.Body).toBe('kept')
  const opened = await after.kms.send(
    new DecryptCommand({ CiphertextBlob: key.CiphertextBlob, EncryptionContext: context }),
  )
  expect(opened.Plaintext).toEqual(key.Plaintext)
}, 15_000)

test('a message that a function held when the process ended is handed out again at the next start', async () => {
  const code = `export async function handler(event) {
    console.log(JSON.stringify({ count: event.Records[0].attributes.ApproximateReceiveCount }))
    await new Promise(() => setInterval(() => {}, 1000))
  }`
  const first = await runApp({
    resources: queueFor('Work0', { visibilitySeconds: 600 }),
    functions: { Work0: { code, timeoutSeconds: 30 } },
    outputs: queueOutputs,
  })
  onTestFinished(first.end)
  const { sqs } = clientsOf(first.cloud)
  await sqs.send(new SendMessageCommand({ QueueUrl: first.cloud.outputs.Work, MessageBody: 'held' }))
  await expect
    .poll(() => first.lines, { timeout: 5_000 })
    .toContainEqual(expect.objectContaining({ record: { count: '1' } }))
  const closed = first.cloud.close()
  await first.cloud.kill('Work0')
  await closed

  const second = await startCloud(first.options)
  onTestFinished(async () => {
    await second.kill('Work0')
    await second.close()
  })
  await expect
    .poll(() => first.lines, { timeout: 5_000 })
    .toContainEqual(expect.objectContaining({ record: { count: '2' } }))
}, 15_000)

test('only its owner may read the folder and the key in it', async () => {
  const { options, end } = await runApp({})
  onTestFinished(end)
  expect((await stat(options.folder)).mode & 0o777).toBe(0o700)
  expect((await stat(join(options.folder, 'kms.key'))).mode & 0o777).toBe(0o600)
})

test('a folder in use by another Postroom is refused', async () => {
  const { options, end } = await runApp({})
  onTestFinished(end)
  await refused(
    startCloud({ ...options, port: 0 }),
    /^The data folder .*dynamodb is in use by another Postroom\.$/,
  )
})

test.for([
  ['kms.key', /^The key file .*kms\.key is damaged: it must hold 32 bytes, not 7\.$/],
  ['aws/fauxqs.db', /^The database in .*aws is damaged or cannot be read\.$/],
  ['dynamodb/CURRENT', /^The data folder .*dynamodb is damaged or cannot be read: .*\.$/],
] as const)('a damaged %s is named', async ([file, sentence]) => {
  const { cloud, options, end } = await runApp({})
  onTestFinished(end)
  await cloud.close()
  await writeFile(join(options.folder, file), 'garbage')
  await refused(startCloud(options), sentence)
})

test('a folder that is a file is named', async () => {
  const { cloud, options, end } = await runApp({})
  onTestFinished(end)
  await cloud.close()
  await refused(
    startCloud({ ...options, folder: join(options.folder, 'kms.key') }),
    /^The data folder .*kms\.key cannot be made or opened \(E[A-Z]+\)\.$/,
  )
})

test('a table that lacks an index of the template is named', async () => {
  const first = await runApp(app)
  onTestFinished(first.end)
  const { dynamodb } = clientsOf(first.cloud)
  const table = await runApp({ resources: { Letters: app.resources.Letters } })
  onTestFinished(table.end)
  const other = new DynamoDBClient({ ...clientDefaults, endpoint: table.cloud.endpoints.dynamodb })
  await other.send(
    new CreateTableCommand({
      TableName: first.cloud.outputs.Things,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
      KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
    }),
  )
  other.destroy()
  dynamodb.destroy()
  await table.cloud.close()
  await first.cloud.close()
  await refused(
    startCloud({ ...first.options, folder: table.options.folder }),
    /^The table App-Things of the data folder is from an earlier version and lacks the index byOwner\.$/,
  )
})

test('a port in use is named, and nothing stays open', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => holder.once('listening', resolve))
  onTestFinished(() => void holder.close())
  const { port } = holder.address() as AddressInfo
  const { cloud, options, end } = await runApp({})
  onTestFinished(end)
  await cloud.close()
  const sentence = new RegExp(`^Port ${port} on 127\\.0\\.0\\.1 is in use by another program\\.$`)

  await refused(startCloud({ ...options, port }), sentence)
  for (const engine of ['aws', 'dynamodb', 'kms']) {
    await refused(startCloud({ ...options, enginePorts: { [engine]: port } }), sentence)
  }
  // The folder's lock was given back each time.
  await (await startCloud(options)).close()
  expect(await readdir(options.folder)).toEqual(['aws', 'dynamodb', 'format', 'kms.key'])
})

async function refused(start: Promise<Cloud>, sentence: RegExp): Promise<void> {
  const error = await start.then(cloud => cloud.close()).catch(reason => reason)
  expect(error).toBeInstanceOf(LocalError)
  expect(error.message).toMatch(sentence)
}

test('a folder of a newer Postroom is refused in one sentence; one from before there was a format is taken', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-format-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await openDataFolder(folder)
  await rm(join(folder, 'format'))
  await openDataFolder(folder)
  await writeFile(join(folder, 'format'), '2')
  const refusal = await openDataFolder(folder).catch(error => error)
  expect(refusal).toBeInstanceOf(LocalError)
  expect(refusal.message).toContain('was written by a newer Postroom (format 2; this one reads 1)')
})
