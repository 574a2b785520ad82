/**
 * What is opened with AWS clients, each once per cold start, only what a function asks for. DynamoDB is ready at once;
 * the rest is loaded when a call first needs it.
 */

import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import * as v from 'valibot'
import { openAppBreaker } from './app-breaker.ts'
import { type Channels, openChannels } from './channels.ts'
import { readEnvironment } from './environment.ts'
import { countingEvents } from './event-metrics.ts'
import { type Events, openEvents } from './events.ts'
import type { EventsTopic } from './events-topic.ts'
import { PostroomError } from './faults.ts'
import { openedAtFirstUse } from './first-use.ts'
import { openGrants } from './grant.ts'
import { type Health, openHealth } from './health.ts'
import { parseInput } from './input.ts'
import type { MailStore } from './mail-store.ts'
import { type Metrics, openMetrics } from './metrics.ts'
import type { OAuthApps } from './oauth-apps.ts'
import type { Presigned } from './presigned.ts'
import { mergeProviders, type Providers } from './provider.ts'
import { type DeadLetters, pollQueueUrlsSchema, type Queues } from './queues.ts'
import { type Restored, restoredSchema } from './restored.ts'
import type { Seal } from './seal.ts'
import { openTable, type Table } from './table.ts'
import type { Tokens } from './tokens.ts'
import type { WebhookRequestServices } from './webhook-request.ts'
import type { WebhookSecrets } from './webhook-secrets.ts'

export function mainTable(): Table {
  return openTable(new DynamoDBClient({}), readEnvironment('mainTable'))
}

/** What is told is counted. */
export function eventLog(main: Table, metrics: Metrics): Events {
  const topicArn = readEnvironment('eventsTopicArn')
  const topic = openedAtFirstUse<EventsTopic>(async () =>
    (await import('./events-topic.ts')).openEventsTopic({ topicArn }),
  )
  return countingEvents(openEvents({ main, topic, now: Date.now }), { metrics, now: Date.now })
}

export function systemMetrics(): Metrics {
  return openMetrics({ system: readEnvironment('systemName') })
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
  const bucket = readEnvironment('mailBucket')
  return openedAtFirstUse(async () => (await import('./mail-store.ts')).openMailStore({ bucket }))
}

export function presigned(): Presigned {
  const bucket = readEnvironment('mailBucket')
  return openedAtFirstUse(async () =>
    (await import('./presigned.ts')).openPresigned({ bucket, now: Date.now }),
  )
}

export function queues(): Queues {
  const urls = {
    outboundQueueUrl: readEnvironment('outboundQueueUrl'),
    pollQueueUrl: readEnvironment('pollQueueUrl'),
    pollQueueUrls: parseInput(pollQueueUrlsSchema, jsonVariable('pollQueueUrls'), 'configuration_invalid'),
    notifyQueueUrl: readEnvironment('notifyQueueUrl'),
    now: Date.now,
  }
  return openedAtFirstUse(async () => (await import('./sqs-queues.ts')).openQueues(urls))
}

export function outboundDeadLetters(): DeadLetters {
  const queueUrl = readEnvironment('outboundDeadLetterUrl')
  return openedAtFirstUse(async () => (await import('./sqs-queues.ts')).openDeadLetters({ queueUrl }))
}

/** A receiver that has not answered by then has not accepted. */
const webhookTimeoutMs = 10_000

/** What posts to apps: signing secrets, where to, and how long it may take. */
export function webhookPosting(): Omit<WebhookRequestServices, 'now'> {
  const keyArn = readEnvironment('webhookKeyArn')
  return {
    webhookSecrets: openedAtFirstUse<WebhookSecrets>(async () =>
      (await import('./webhook-secrets.ts')).openWebhookSecrets({ keyArn, now: Date.now }),
    ),
    egress: readEnvironment('webhookEgress') === 'loopback' ? 'loopback' : 'public',
    webhookTimeoutMs,
  }
}

export function providers(): Providers {
  return mergeProviders(jsonVariable('providers'))
}

/** Null unless the tables are restored ones. */
export function restoredTables(): Restored | null {
  return parseInput(v.nullable(restoredSchema), jsonVariable('restored'), 'configuration_invalid')
}

/** Only connect, send and fetch may open this: the Secrets table, its keys and the OAuth apps. */
export function secretServices({ main, events }: { main: Table; events: Events }) {
  const secrets = openTable(new DynamoDBClient({}), readEnvironment('secretsTable'))
  const now = Date.now
  const keyArn = readEnvironment('tokenKeyArn')
  const seal = openedAtFirstUse<Seal>(async () =>
    (await import('./seal.ts')).openSeal({ keyArn, secrets, now }),
  )
  const secretArn = readEnvironment('oauthAppsSecretArn')
  const apps = openedAtFirstUse<OAuthApps>(async () => {
    const { openClientCredentials } = await import('./client-credential.ts')
    const { openOAuthApps } = await import('./oauth-apps.ts')
    return openOAuthApps({ secretArn, credentials: openClientCredentials({ now }), now })
  })
  const grants = openGrants({ secrets, seal, now })
  const breaker = openAppBreaker({ main, events, now })
  const channels = openChannels({ main })
  const known = providers()
  const tokens = openedAtFirstUse<Tokens>(async () =>
    (await import('./tokens.ts')).openTokens({ channels, grants, apps, providers: known, breaker, now }),
  )
  return {
    secrets,
    seal,
    apps,
    grants,
    breaker,
    providers: known,
    tokens,
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
