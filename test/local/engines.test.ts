/** The engines as an SDK sees them: KMS and secrets, what is corrected in fauxqs, and who may talk to them. */

import { request } from 'node:http'
import { connect } from 'node:net'
import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { DecryptCommand, DescribeKeyCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms'
import { GetObjectCommand, PutObjectCommand, PutObjectTaggingCommand, S3Client } from '@aws-sdk/client-s3'
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import {
  ChangeMessageVisibilityCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openPresigned } from '../../functions/channel/presigned.ts'
import { localSecret } from '../../infra/local/presigned-requests.ts'
import { clientDefaults, type RunningApp, runApp } from './hand-made-app.ts'

let app: RunningApp & { end(): Promise<void> }
let kms: KMSClient
let s3: S3Client
let secrets: SecretsManagerClient
let sqs: SQSClient

beforeAll(async () => {
  app = await runApp(
    {
      resources: {
        Wrap: { Type: 'AWS::KMS::Key', Properties: {} },
        Other: { Type: 'AWS::KMS::Key', Properties: {} },
        OAuthApps1C7958BF: { Type: 'AWS::SecretsManager::Secret', Properties: {} },
        Empty: { Type: 'AWS::SecretsManager::Secret', Properties: {} },
        Letters: { Type: 'AWS::S3::Bucket', Properties: {} },
        Jobs: { Type: 'AWS::SQS::Queue', Properties: {} },
        Things: {
          Type: 'AWS::DynamoDB::GlobalTable',
          Properties: {
            AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
            KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
          },
        },
      },
      outputs: {
        Wrap: { Value: { 'Fn::GetAtt': ['Wrap', 'Arn'] } },
        Other: { Value: { 'Fn::GetAtt': ['Other', 'Arn'] } },
        OAuthApps: { Value: { Ref: 'OAuthApps1C7958BF' } },
        Empty: { Value: { Ref: 'Empty' } },
        Letters: { Value: { Ref: 'Letters' } },
        Jobs: { Value: { Ref: 'Jobs' } },
        Things: { Value: { Ref: 'Things' } },
      },
    },
    { secrets: { OAuthApps: '{"microsoft":{}}' } },
  )
  const { endpoints } = app.cloud
  kms = new KMSClient({ ...clientDefaults, endpoint: endpoints.kms })
  secrets = new SecretsManagerClient({ ...clientDefaults, endpoint: endpoints.kms })
  s3 = new S3Client({ ...clientDefaults, endpoint: endpoints.aws })
  sqs = new SQSClient({ ...clientDefaults, endpoint: endpoints.aws })
})
afterAll(async () => {
  for (const client of [kms, s3, secrets, sqs]) client?.destroy()
  await app?.end()
})

const plain = Buffer.from('a data key')

async function encrypt(context: Record<string, string>): Promise<Uint8Array | undefined> {
  const { Wrap } = app.cloud.outputs
  const command = new EncryptCommand({ KeyId: Wrap, Plaintext: plain, EncryptionContext: context })
  return (await kms.send(command)).CiphertextBlob
}

test('KMS opens what it sealed if the context is the same, in whatever order', async () => {
  const CiphertextBlob = await encrypt({ channel: 'c', account: 'a' })
  const opened = await kms.send(
    new DecryptCommand({ CiphertextBlob, EncryptionContext: { account: 'a', channel: 'c' } }),
  )
  expect(Buffer.from(opened.Plaintext ?? [])).toEqual(plain)
  expect(opened.KeyId).toBe(app.cloud.outputs.Wrap)
})

test('KMS refuses another context, no context, and changed bytes', async () => {
  const CiphertextBlob = (await encrypt({ channel: 'c' })) ?? Buffer.of()
  const changed = Buffer.from(CiphertextBlob)
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
  for (const input of [
    { CiphertextBlob, EncryptionContext: { channel: 'd' } },
    { CiphertextBlob },
    { CiphertextBlob: changed, EncryptionContext: { channel: 'c' } },
    { CiphertextBlob: Buffer.from('short'), EncryptionContext: { channel: 'c' } },
  ]) {
    await expect(kms.send(new DecryptCommand(input))).rejects.toThrow(
      expect.objectContaining({ name: 'InvalidCiphertextException' }),
    )
  }
})

test('KMS tells one key from another, and knows no third', async () => {
  const CiphertextBlob = await encrypt({})
  await expect(
    kms.send(new DecryptCommand({ CiphertextBlob, KeyId: app.cloud.outputs.Other })),
  ).rejects.toThrow(expect.objectContaining({ name: 'IncorrectKeyException' }))
  await expect(kms.send(new DescribeKeyCommand({ KeyId: 'nothing' }))).rejects.toThrow(
    expect.objectContaining({ name: 'NotFoundException' }),
  )
  const { KeyMetadata } = await kms.send(new DescribeKeyCommand({ KeyId: app.cloud.outputs.Wrap }))
  expect(KeyMetadata).toMatchObject({ Arn: app.cloud.outputs.Wrap, Enabled: true })
})

test('a secret has the value it was given; one without a value is not found', async () => {
  const { OAuthApps, Empty } = app.cloud.outputs
  const value = await secrets.send(new GetSecretValueCommand({ SecretId: OAuthApps }))
  expect(value.SecretString).toBe('{"microsoft":{}}')
  await expect(secrets.send(new GetSecretValueCommand({ SecretId: Empty }))).rejects.toThrow(
    expect.objectContaining({ name: 'ResourceNotFoundException' }),
  )
})

test('a conditional put does not overwrite an object', async () => {
  const put = (Body: string) =>
    s3.send(new PutObjectCommand({ Bucket: app.cloud.outputs.Letters, Key: 'once', Body, IfNoneMatch: '*' }))
  await put('first')
  await expect(put('second')).rejects.toThrow(expect.objectContaining({ name: 'PreconditionFailed' }))
  expect(await textOf('once')).toBe('first')
})

test('tagging an object is refused and leaves it as it is', async () => {
  const object = { Bucket: app.cloud.outputs.Letters, Key: 'tagged' }
  await s3.send(new PutObjectCommand({ ...object, Body: 'content' }))
  await expect(
    s3.send(new PutObjectTaggingCommand({ ...object, Tagging: { TagSet: [{ Key: 'a', Value: 'b' }] } })),
  ).rejects.toThrow()
  expect(await textOf('tagged')).toBe('content')
})

async function textOf(Key: string): Promise<string | undefined> {
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: app.cloud.outputs.Letters, Key }))
  return Body?.transformToString()
}

test('a message whose visibility is set to 0 comes back', async () => {
  const QueueUrl = app.cloud.outputs.Jobs
  await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: 'again' }))
  const { Messages: [first] = [] } = await sqs.send(new ReceiveMessageCommand({ QueueUrl }))
  const { ReceiptHandle } = first ?? {}
  await sqs.send(new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 }))
  const { Messages: [second] = [] } = await sqs.send(
    new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 5 }),
  )
  expect(second?.Body).toBe('again')
})

test.for(['aws', 'dynamodb', 'kms'] as const)('the engine %s does not answer a web page', async engine => {
  const { port, host } = new URL(app.cloud.endpoints[engine])
  const blocked = engine === 'kms' ? 400 : 403
  expect(await statusOf(port, { host: 'rebound.example' })).toBe(blocked)
  expect(await statusOf(port, { host, origin: 'https://page.example' })).toBe(blocked)
})

test('a presigned URL is followed by a page of the system itself to read, and by no other page', async () => {
  const bucket = app.cloud.outputs.Letters ?? ''
  await s3.send(new PutObjectCommand({ Bucket: bucket, Key: 'a', Body: 'bytes' }))
  const credentials = { accessKeyId: 'anybody', secretAccessKey: localSecret }
  const signing = new S3Client({ ...clientDefaults, credentials, endpoint: app.cloud.endpoints.aws })
  const { url } = await openPresigned({ s3: signing, bucket, now: Date.now }).download('a', {
    filename: 'a',
    contentType: 'text/plain',
  })
  const own = new URL(app.cloud.url).origin
  const answer = await fetch(url, { headers: { origin: own } })
  expect(await answer.text()).toBe('bytes')
  expect(answer.headers.get('access-control-allow-origin')).toBe(own)
  const statusOfFetch = async (...[to, init]: Parameters<typeof fetch>) => (await fetch(to, init)).status
  expect(await statusOfFetch(url, { headers: { origin: 'https://page.example' } })).toBe(403)
  expect(await statusOfFetch(url, { method: 'PUT', body: 'x', headers: { origin: own } })).toBe(403)
  expect(await statusOfFetch(url.split('?')[0] ?? '', { headers: { origin: own } })).toBe(403)
})

function statusOf(port: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, method: 'POST', path: '/', headers }, response => {
      response.resume()
      resolve(response.statusCode)
    })
      .once('error', reject)
      .end('{}')
  })
}

test('a caller that vanishes in the middle of a request harms no engine', async () => {
  for (const endpoint of Object.values(app.cloud.endpoints)) {
    const { port, host } = new URL(endpoint)
    const socket = connect(Number(port), '127.0.0.1')
    const target = 'DynamoDB_20120810.PutItem'
    socket.write(`POST / HTTP/1.1\r\nHost: ${host}\r\nX-Amz-Target: ${target}\r\n`)
    socket.write('Content-Type: application/x-amz-json-1.0\r\nContent-Length: 100\r\n\r\n{"half":')
    // Once a later request has its answer, the engine has begun to read the half one.
    await statusOf(port, { host })
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.resetAndDestroy()
    await closed
    await statusOf(port, { host })
  }
  const dynamodb = new DynamoDBClient({ ...clientDefaults, endpoint: app.cloud.endpoints.dynamodb })
  const TableName = app.cloud.outputs.Things
  await dynamodb.send(new PutItemCommand({ TableName, Item: { pk: { S: 'a' } } }))
  const { Item } = await dynamodb.send(new GetItemCommand({ TableName, Key: { pk: { S: 'a' } } }))
  expect(Item).toEqual({ pk: { S: 'a' } })
  dynamodb.destroy()
})
