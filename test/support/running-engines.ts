/** The AWS engines in this process, and for whoever asks tables and a bucket of its own. */

import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { SNSClient } from '@aws-sdk/client-sns'
import { indexNames, keyNames } from '../../functions/channel/table-names.ts'
import { startKeysAndSecrets } from '../../infra/local/keys-and-secrets.ts'
import { ensureTopic, startAws } from '../../infra/local/queues-topics-buckets.ts'
import { ensureTable, startTables } from '../../infra/local/tables.ts'

const region = 'us-east-1'
const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
const keyArn = `arn:aws:kms:${region}:000000000000:key/test`
const topic = 'events'
export const appsSecretArn = `arn:aws:secretsmanager:${region}:000000000000:secret:apps`

/** One call that the code under test made. */
export interface AwsCall {
  service: 'dynamodb' | 's3' | 'sns' | 'kms'
  /** Such as `PutItemCommand`. */
  command: string
  input: object
}

/** What a test has to itself. */
export interface Stores {
  dynamodb: DynamoDBClient
  s3: S3Client
  sns: SNSClient
  kms: KMSClient
  mainTable: string
  secretsTable: string
  bucket: string
  topicArn: string
  keyArn: string
  /** Every call made with these clients, in order. */
  calls: AwsCall[]
  /** Makes calls fail for as long as the rule says so, as if the service were down. */
  failWhen(rule: (call: AwsCall) => boolean): void
}

export interface RunningEngines {
  endpoints: { dynamodb: string; aws: string; kms: string }
  fresh(): Promise<Stores>
  close(): Promise<void>
}

/** @param options.dynamodbEndpoint of another DynamoDB than dynalite @param options.apps OAuth apps, as in POSTROOM_APPS */
export async function startEngines(
  options: { dynamodbEndpoint?: string; apps?: object } = {},
): Promise<RunningEngines> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-engines-'))
  await Promise.all(['dynamodb', 'aws'].map(name => mkdir(join(folder, name))))
  const dynamodb =
    options.dynamodbEndpoint === undefined
      ? await startTables({ folder: join(folder, 'dynamodb'), port: 0 })
      : undefined
  const aws = await startAws({ folder: join(folder, 'aws'), port: 0 })
  const kms = await startKeysAndSecrets({
    port: 0,
    masterKey: randomBytes(32),
    keyArns: [keyArn],
    secrets: new Map([[appsSecretArn, JSON.stringify(options.apps ?? {})]]),
  })
  await ensureTopic(aws.endpoint, topic)
  const endpoints = {
    dynamodb: options.dynamodbEndpoint ?? dynamodb?.endpoint ?? '',
    aws: aws.endpoint,
    kms: kms.endpoint,
  }
  return {
    endpoints,

    async fresh() {
      const name = randomBytes(6).toString('hex')
      const mainTable = `Main-${name}`
      const secretsTable = `Secrets-${name}`
      await ensureTable(endpoints.dynamodb, { name: mainTable, properties: withIndexes })
      await ensureTable(endpoints.dynamodb, { name: secretsTable, properties: keysOnly })
      const bucket = `mail-${name}`
      aws.ensureBucket(bucket)
      return {
        ...recordedClients(endpoints),
        mainTable,
        secretsTable,
        bucket,
        topicArn: `arn:aws:sns:${region}:000000000000:${topic}`,
        keyArn,
      }
    },

    async close() {
      await Promise.all([dynamodb?.close(), aws.close(), kms.close()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function recordedClients(endpoints: { dynamodb: string; aws: string; kms: string }) {
  const calls: AwsCall[] = []
  let fails: (call: AwsCall) => boolean = () => false
  // A refused call is final: the SDK's own retries would only take time.
  const shared = { region, credentials, maxAttempts: 1 }
  const dynamodb = new DynamoDBClient({ ...shared, endpoint: endpoints.dynamodb })
  const s3 = new S3Client({
    ...shared,
    endpoint: endpoints.aws,
    forcePathStyle: true,
    requestChecksumCalculation: 'WHEN_REQUIRED',
  })
  const sns = new SNSClient({ ...shared, endpoint: endpoints.aws })
  const kms = new KMSClient({ ...shared, endpoint: endpoints.kms })

  const record = (service: AwsCall['service'], command: string | undefined, input: object) => {
    const call = { service, command: command ?? '', input }
    calls.push(call)
    if (fails(call)) throw new Error(`${service} is down in this test`)
  }
  const place = { step: 'initialize', name: 'recordCalls' } as const
  dynamodb.middlewareStack.add(
    (next, context) => args => {
      record('dynamodb', context.commandName, args.input)
      return next(args)
    },
    place,
  )
  s3.middlewareStack.add(
    (next, context) => args => {
      record('s3', context.commandName, args.input)
      return next(args)
    },
    place,
  )
  sns.middlewareStack.add(
    (next, context) => args => {
      record('sns', context.commandName, args.input)
      return next(args)
    },
    place,
  )
  kms.middlewareStack.add(
    (next, context) => args => {
      record('kms', context.commandName, args.input)
      return next(args)
    },
    place,
  )
  return {
    dynamodb,
    s3,
    sns,
    kms,
    calls,
    failWhen(rule: (call: AwsCall) => boolean) {
      fails = rule
    },
  }
}

const key = (name: string, KeyType: 'HASH' | 'RANGE') => ({ AttributeName: name, KeyType })
const text = (AttributeName: string) => ({ AttributeName, AttributeType: 'S' })
const Projection = { ProjectionType: 'KEYS_ONLY' }

const keysOnly = {
  KeySchema: [key(keyNames.partition, 'HASH'), key(keyNames.sort, 'RANGE')],
  AttributeDefinitions: [text(keyNames.partition), text(keyNames.sort)],
}
const withIndexes = {
  KeySchema: keysOnly.KeySchema,
  AttributeDefinitions: [
    keyNames.partition,
    keyNames.sort,
    keyNames.listingPartition,
    keyNames.listingSort,
    keyNames.duePartition,
    keyNames.dueSort,
  ].map(text),
  GlobalSecondaryIndexes: [
    {
      IndexName: indexNames.listing,
      KeySchema: [key(keyNames.listingPartition, 'HASH'), key(keyNames.listingSort, 'RANGE')],
      Projection,
    },
    {
      IndexName: indexNames.due,
      KeySchema: [key(keyNames.duePartition, 'HASH'), key(keyNames.dueSort, 'RANGE')],
      Projection,
    },
  ],
}
