/** The AWS clients and what is opened with them, each made once per cold start, only those a function asks for. */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { S3Client } from '@aws-sdk/client-s3'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { SNSClient } from '@aws-sdk/client-sns'
import { SQSClient } from '@aws-sdk/client-sqs'
import { openAppBreaker } from './app-breaker.ts'
import { type Channels, openChannels } from './channels.ts'
import { openClientCredentials } from './client-credential.ts'
import { readEnvironment } from './environment.ts'
import { countingEvents } from './event-metrics.ts'
import { type Events, openEvents } from './events.ts'
import { PostroomError } from './faults.ts'
import { openGrants } from './grant.ts'
import { type Health, openHealth } from './health.ts'
import { parseInput } from './input.ts'
import { type MailStore, openMailStore } from './mail-store.ts'
import { type Metrics, openMetrics } from './metrics.ts'
import { openOAuthApps } from './oauth-apps.ts'
import { openPresigned, type Presigned } from './presigned.ts'
import { mergeProviders, type Providers } from './provider.ts'
import { openQueues, pollQueueUrlsSchema, type Queues } from './queues.ts'
import { type Restored, restoredSchema } from './restored.ts'
import { openSeal } from './seal.ts'
import { openTable, type Table } from './table.ts'
import { openTokens } from './tokens.ts'
import type { WebhookRequestServices } from './webhook-request.ts'
import { openWebhookSecrets } from './webhook-secrets.ts'

export function mainTable(): Table {
  return openTable(new DynamoDBClient({}), readEnvironment('mainTable'))
}

export function eventLog(main: Table): Events {
  return openEvents({
    main,
    sns: new SNSClient({}),
    topicArn: readEnvironment('eventsTopicArn'),
    now: Date.now,
  })
}

export function systemMetrics(): Metrics {
  return openMetrics({ system: readEnvironment('systemName') })
}

/** As `eventLog`, and what is told is counted. */
export function countedEventLog(main: Table, metrics: Metrics): Events {
  return countingEvents(eventLog(main), { metrics, now: Date.now })
}

export function channelHealth(services: {
  main: Table
  channels: Channels
  events: Events
  queues: Queues
}): Health {
  const publicUrl = readEnvironment('publicUrl')
  return openHealth({ ...services, providers: providers(), publicUrl, now: Date.now })
}

export function mailStore(): MailStore {
  return openMailStore({ s3: new S3Client({}), bucket: readEnvironment('mailBucket') })
}

export function presigned(): Presigned {
  const s3 = new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED' })
  return openPresigned({ s3, bucket: readEnvironment('mailBucket'), now: Date.now })
}

/** The queue's URL carries its own host, which the endpoint of a local engine must override. */
export function sqsClient(): SQSClient {
  return new SQSClient({ useQueueUrlAsEndpoint: false })
}

export function queues(): Queues {
  return openQueues({
    sqs: sqsClient(),
    outboundQueueUrl: readEnvironment('outboundQueueUrl'),
    pollQueueUrl: readEnvironment('pollQueueUrl'),
    pollQueueUrls: parseInput(pollQueueUrlsSchema, jsonVariable('pollQueueUrls'), 'configuration_invalid'),
    notifyQueueUrl: readEnvironment('notifyQueueUrl'),
    now: Date.now,
  })
}

/** A receiver that has not answered by then has not accepted. */
const webhookTimeoutMs = 10_000

/** What posts to apps: signing secrets, where to, and how long it may take. */
export function webhookPosting(): Omit<WebhookRequestServices, 'now'> {
  const keyArn = readEnvironment('webhookKeyArn')
  return {
    webhookSecrets: openWebhookSecrets({ kms: new KMSClient({}), keyArn, now: Date.now }),
    egress: readEnvironment('webhookEgress') === 'loopback' ? 'loopback' : 'public',
    webhookTimeoutMs,
  }
}

export function providers(): Providers {
  return mergeProviders(jsonVariable('providers'))
}

/** Null unless the tables are restored ones. */
export function restoredTables(): Restored | null {
  return parseInput(restoredSchema.nullable(), jsonVariable('restored'), 'configuration_invalid')
}

/** Only connect, send and fetch may open this: the Secrets table, its keys and the OAuth apps. */
export function secretServices({ main, events }: { main: Table; events: Events }) {
  const secrets = openTable(new DynamoDBClient({}), readEnvironment('secretsTable'))
  const now = Date.now
  const kms = new KMSClient({})
  const seal = openSeal({ kms, keyArn: readEnvironment('tokenKeyArn'), secrets, now })
  const apps = openOAuthApps({
    client: new SecretsManagerClient({}),
    secretArn: readEnvironment('oauthAppsSecretArn'),
    credentials: openClientCredentials({
      kms,
      sts: async () => new (await import('@aws-sdk/client-sts')).STSClient({}),
      now,
    }),
    now,
  })
  const grants = openGrants({ secrets, seal, now })
  const breaker = openAppBreaker({ main, events, now })
  const channels = openChannels({ main })
  const known = providers()
  return {
    secrets,
    seal,
    apps,
    grants,
    breaker,
    providers: known,
    tokens: openTokens({ channels, grants, apps, providers: known, breaker, now }),
  }
}

export function jsonVariable(name: 'pollQueueUrls' | 'providers' | 'returnUrls' | 'restored'): unknown {
  const text = readEnvironment(name)
  try {
    return JSON.parse(text)
  } catch {
    throw new PostroomError('configuration_invalid', {
      errors: [{ field: name, rule: 'must be JSON', found: text.slice(0, 80) }],
    })
  }
}
