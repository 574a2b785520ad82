/** The six functions, each with what it may do, what it is told, and what calls it. HTTP stands in http-api.ts. */

import { Aws, Duration } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { EventSourceMapping, type IFunction } from 'aws-cdk-lib/aws-lambda'
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import type { PostroomConfiguration } from './configuration-schema.ts'
import type { PostroomData } from './postroom-data.ts'
import { PostroomFunction } from './postroom-function.ts'
import { type FunctionFolder, privileges, type Things } from './privileges.ts'
import { inPascalCase, type Queues } from './queues.ts'

export type Functions = Record<FunctionFolder, PostroomFunction>

export interface FunctionsProps {
  data: PostroomData
  queues: Queues
  /** Begins the names of the functions' roles. */
  systemName: string
  /** Origin of connect pages and API. */
  publicUrl: string
  configuration: PostroomConfiguration
}

export function makeFunctions(scope: Construct, props: FunctionsProps): Functions {
  const { data, systemName, publicUrl, configuration } = props
  const { events, outbound, poll, pollOf, notifications } = props.queues

  const may = privileges({
    ...data,
    events,
    outbound: outbound.main,
    outboundDeadLetters: outbound.deadLetters,
    polls: [poll.main, ...Object.values(pollOf)],
    notifications: notifications.main,
    ...ofEveryApp(configuration.apps),
  })

  const named = {
    systemName,
    logDays: configuration.retention.logDays,
    tracing: configuration.operations.tracing,
  }
  const tables = { mainTable: data.main.tableName, mailBucket: data.mail.bucketName }
  const announcing = { eventsTopicArn: events.topicArn }
  const providers = { providers: JSON.stringify(configuration.providers) }
  const tokens = {
    secretsTable: data.secrets.tableName,
    tokenKeyArn: data.tokenKey.keyArn,
    oauthAppsSecretArn: data.oauthApps.secretArn,
    ...providers,
  }
  const ringing = {
    outboundQueueUrl: outbound.main.queueUrl,
    pollQueueUrl: poll.main.queueUrl,
    pollQueueUrls: JSON.stringify(
      Object.fromEntries(Object.entries(pollOf).map(([id, { queueUrl }]) => [id, queueUrl])),
    ),
    notifyQueueUrl: notifications.main.queueUrl,
  }
  // Prompts carry a link by which the mailbox's owner reconnects.
  const prompting = { ...announcing, publicUrl, ...providers }
  const appName = configuration.appName && { appName: configuration.appName }
  const measuring = { systemName }
  const polling = { pollIntervalMinutes: String(configuration.pollIntervalMinutes) }
  const webhooks = { webhookKeyArn: data.webhookKey.keyArn, webhookEgress: 'public' }
  const { authentication } = configuration
  const accounts = authentication.type === 'jwt' && {
    accountClaim: authentication.accountClaim,
    ...(authentication.operatorScope && { operatorScope: authentication.operatorScope }),
  }

  // Mail out.
  const send = new PostroomFunction(scope, 'Send', {
    ...named,
    folder: 'send',
    may: may.send,
    environment: {
      ...tables,
      ...prompting,
      ...tokens,
      ...ringing,
      ...appName,
      ...measuring,
      outboundDeadLetterUrl: outbound.deadLetters.queueUrl,
      restored: JSON.stringify(configuration.restored ?? null),
    },
  })
  readQueue(scope, 'OutboundToSend', { queue: outbound.main, target: send, batchSize: 10 })

  // Mail in.
  const fetch = new PostroomFunction(scope, 'Fetch', {
    ...named,
    folder: 'fetch',
    may: may.fetch,
    environment: { ...tables, ...prompting, ...tokens, ...ringing, ...polling, ...measuring },
  })
  const { others, ...concurrencyOf } = configuration.pollConcurrency
  const fetching = { target: fetch, batchSize: 1 }
  readQueue(scope, 'PollToFetch', { queue: poll.main, ...fetching, maxConcurrency: others })
  for (const [id, queue] of Object.entries(pollOf)) {
    const maxConcurrency = concurrencyOf[id]
    readQueue(scope, `Poll${inPascalCase(id)}ToFetch`, { queue, ...fetching, maxConcurrency })
  }

  const schedule = new PostroomFunction(scope, 'Schedule', {
    ...named,
    folder: 'schedule',
    may: may.schedule,
    environment: { mainTable: tables.mainTable, ...prompting, ...ringing, ...polling, ...measuring },
  })
  callEveryMinute(scope, schedule)

  // Events out, to apps that have no queue on AWS.
  const notify = new PostroomFunction(scope, 'NotifyWebhooks', {
    ...named,
    folder: 'notify',
    may: may.notify,
    environment: { mainTable: tables.mainTable, ...announcing, ...webhooks, ...measuring },
  })
  readQueue(scope, 'EventsToNotify', { queue: notifications.main, target: notify, batchSize: 10 })

  // The people and apps that call.
  const connect = new PostroomFunction(scope, 'Connect', {
    ...named,
    folder: 'connect',
    may: may.connect,
    environment: {
      ...tables,
      ...announcing,
      ...tokens,
      ...ringing,
      ...polling,
      ...measuring,
      publicUrl,
      ...accounts,
      ...appName,
    },
  })
  const api = new PostroomFunction(scope, 'Api', {
    ...named,
    folder: 'api',
    may: may.api,
    environment: {
      ...tables,
      ...announcing,
      ...ringing,
      ...polling,
      ...measuring,
      publicUrl,
      ...accounts,
      ...webhooks,
      ...providers,
      returnUrls: JSON.stringify([
        ...configuration.returnUrls,
        ...(configuration.console ? [`${publicUrl}/`] : []),
      ]),
    },
  })

  return { connect, api, send, schedule, fetch, notify }
}

/** What the functions must be allowed to use, so that each app can prove that it is itself. */
export function ofEveryApp(
  apps: PostroomConfiguration['apps'],
): Pick<Things, 'clientKeyArns' | 'federatedAudiences'> {
  const all = Object.values(apps)
  return {
    clientKeyArns: all.flatMap(({ signingKeyArn }) => signingKeyArn ?? []),
    federatedAudiences: [...new Set(all.flatMap(({ federatedAudience }) => federatedAudience ?? []))],
  }
}

function readQueue(
  scope: Construct,
  id: string,
  reading: { queue: Queue; target: IFunction; batchSize: number; maxConcurrency?: number },
): void {
  const { queue, ...mapping } = reading
  new EventSourceMapping(scope, id, {
    ...mapping,
    eventSourceArn: queue.queueArn,
    reportBatchItemFailures: true,
  })
}

function callEveryMinute(scope: Construct, schedule: IFunction): void {
  const role = new Role(scope, 'EveryMinuteRole', {
    assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  })
  role.addToPolicy(
    new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [schedule.functionArn] }),
  )
  new Schedule(scope, 'EveryMinute', {
    schedule: ScheduleExpression.rate(Duration.minutes(1)),
    // CDK would add every version of the function to what the role may invoke.
    target: new LambdaInvoke(schedule, { retryAttempts: 0, role: role.withoutPolicyUpdates() }),
    description: 'Finds mailboxes to poll, overdue outbox rows and unannounced events',
  })
}
