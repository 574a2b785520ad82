/** The system in the order data flows: events out, mail out, mail in, the people and apps that call it. */

import { Aws, CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import { type CfnStage, HttpApi, HttpMethod, HttpRoute } from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda'
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Schedule, ScheduleExpression } from 'aws-cdk-lib/aws-scheduler'
import { LambdaInvoke } from 'aws-cdk-lib/aws-scheduler-targets'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { grantEndpoints } from '../functions/channel/grant-endpoints.ts'
import type { PostroomConfiguration } from './configuration.ts'
import type { DataStack } from './data-stack.ts'
import { PostroomFunction } from './postroom-function.ts'
import { privileges } from './privileges.ts'

export interface PostroomStackProps extends StackProps {
  data: DataStack
  configuration: PostroomConfiguration
}

/** How long one drain may run: one SMTP session, including a slow server's wait after the final dot. */
const sendTimeoutSeconds = 300
const fetchTimeoutSeconds = 120
const notifyTimeoutSeconds = 60

/** The most calls a second, and twice as many at once; more get 429. */
const callsPerSecond = {
  /** What a browser brings. */
  public: 20,
  /** What talks to a provider while the caller waits: a flood here would be a flood at Microsoft or Google. */
  provider: 5,
  api: 200,
}

/** Neither path nor query nor address: a connect link is a secret, a callback carries a code. */
const accessLogFields = {
  time: '$context.requestTime',
  requestId: '$context.requestId',
  route: '$context.routeKey',
  status: '$context.status',
  milliseconds: '$context.responseLatency',
  error: '$context.error.message',
  integrationError: '$context.integrationErrorMessage',
}

export class PostroomStack extends Stack {
  constructor(scope: Construct, id: string, props: PostroomStackProps) {
    super(scope, id, props)
    const { data, configuration } = props

    // Every change, for the app: its queue, Lambda or webhook subscribes here.
    const events = new Topic(this, 'Events', { enforceSSL: true })

    const http = new HttpApi(this, 'Http', { description: 'Postroom: connect pages and API' })
    const publicUrl = configuration.publicUrl ?? http.apiEndpoint
    const { authentication } = configuration
    const authorizer =
      authentication.type === 'iam'
        ? new HttpIamAuthorizer()
        : new HttpJwtAuthorizer('Token', authentication.issuer, { jwtAudience: authentication.audience })
    const accounts = authentication.type === 'jwt' && {
      accountClaim: authentication.accountClaim,
      ...(authentication.operatorScope && { operatorScope: authentication.operatorScope }),
    }

    const queue = (name: string, visibilitySeconds: number, maxReceiveCount: number) => {
      const defaults = {
        encryption: QueueEncryption.SQS_MANAGED,
        enforceSSL: true,
        removalPolicy: RemovalPolicy.RETAIN,
      }
      const deadLetters = new Queue(this, `${name}DeadLetters`, {
        ...defaults,
        retentionPeriod: Duration.days(14),
      })
      const main = new Queue(this, name, {
        ...defaults,
        // Lambda refuses a queue whose messages come back while the function may still run.
        visibilityTimeout: Duration.seconds(visibilitySeconds),
        retentionPeriod: Duration.days(14),
        deadLetterQueue: { queue: deadLetters, maxReceiveCount },
      })
      return { main, deadLetters }
    }

    // Mail out: message documents and doorbells → send.
    const outbound = queue('Outbound', sendTimeoutSeconds + 60, 5)
    // Mail in: batches of mailboxes → fetch. A lost batch is made anew at the mailboxes' next slot.
    const poll = queue('Poll', fetchTimeoutSeconds + 60, 2)

    // Events out: every event, and doorbells of webhooks → notify. What is wrong with a receiver is kept on its
    // own list, so a message comes back only while our own tables fail, for as long as that takes.
    const notifications = queue('Notify', notifyTimeoutSeconds + 60, 100)
    events.addSubscription(
      new SqsSubscription(notifications.main, {
        rawMessageDelivery: true,
        deadLetterQueue: notifications.deadLetters,
      }),
    )

    const may = privileges({
      ...data,
      events,
      outbound: outbound.main,
      outboundDeadLetters: outbound.deadLetters,
      poll: poll.main,
      notifications: notifications.main,
      clientKeyArns: configuration.clientKeyArns,
      federatedAudiences: configuration.federatedAudiences,
    })
    const tables = { mainTable: data.main.tableName, mailBucket: data.mail.bucketName }
    const announcing = { eventsTopicArn: events.topicArn }
    const tokens = {
      secretsTable: data.secrets.tableName,
      tokenKeyArn: data.tokenKey.keyArn,
      oauthAppsSecretArn: data.oauthApps.secretArn,
      providers: JSON.stringify(configuration.providers),
    }
    const ringing = {
      outboundQueueUrl: outbound.main.queueUrl,
      pollQueueUrl: poll.main.queueUrl,
      notifyQueueUrl: notifications.main.queueUrl,
    }
    // Prompts carry a link by which the mailbox's owner reconnects.
    const prompting = { ...announcing, publicUrl }
    const polling = { pollIntervalMinutes: String(configuration.pollIntervalMinutes) }

    const send = new PostroomFunction(this, 'Send', {
      folder: 'send',
      may: may.send,
      timeoutSeconds: sendTimeoutSeconds,
      memoryMegabytes: 512,
      environment: {
        ...tables,
        ...prompting,
        ...tokens,
        outboundDeadLetterUrl: outbound.deadLetters.queueUrl,
      },
    })
    new EventSourceMapping(this, 'OutboundToSend', {
      target: send,
      eventSourceArn: outbound.main.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
    })

    const fetch = new PostroomFunction(this, 'Fetch', {
      folder: 'fetch',
      may: may.fetch,
      worker: 'parse-worker',
      timeoutSeconds: fetchTimeoutSeconds,
      memoryMegabytes: 512,
      environment: { ...tables, ...prompting, ...tokens, ...ringing, ...polling },
    })
    new EventSourceMapping(this, 'PollToFetch', {
      target: fetch,
      eventSourceArn: poll.main.queueArn,
      batchSize: 1,
      reportBatchItemFailures: true,
    })

    const schedule = new PostroomFunction(this, 'Schedule', {
      folder: 'schedule',
      may: may.schedule,
      timeoutSeconds: 50,
      memoryMegabytes: 256,
      environment: { mainTable: tables.mainTable, ...prompting, ...ringing, ...polling },
    })
    const everyMinute = new Role(this, 'EveryMinuteRole', {
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    })
    everyMinute.addToPolicy(
      new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [schedule.functionArn] }),
    )
    new Schedule(this, 'EveryMinute', {
      schedule: ScheduleExpression.rate(Duration.minutes(1)),
      // CDK would add every version of the function to what the role may invoke.
      target: new LambdaInvoke(schedule, { retryAttempts: 0, role: everyMinute.withoutPolicyUpdates() }),
      description: 'Finds mailboxes to poll, overdue outbox rows and unannounced events',
    })

    // Events out, to apps that have no queue on AWS.
    const webhooks = { webhookKeyArn: data.webhookKey.keyArn, webhookEgress: 'public' }
    const notify = new PostroomFunction(this, 'NotifyWebhooks', {
      folder: 'notify',
      may: may.notify,
      timeoutSeconds: notifyTimeoutSeconds,
      memoryMegabytes: 256,
      environment: { mainTable: tables.mainTable, ...announcing, ...webhooks },
    })
    new EventSourceMapping(this, 'EventsToNotify', {
      target: notify,
      eventSourceArn: notifications.main.queueArn,
      batchSize: 10,
      reportBatchItemFailures: true,
    })

    const connect = new PostroomFunction(this, 'Connect', {
      folder: 'connect',
      may: may.connect,
      timeoutSeconds: 29,
      memoryMegabytes: 512,
      environment: {
        ...tables,
        ...announcing,
        ...tokens,
        ...ringing,
        ...polling,
        publicUrl,
        ...accounts,
        ...(configuration.appName && { appName: configuration.appName }),
      },
    })
    const connectIntegration = new HttpLambdaIntegration('ConnectIntegration', connect)
    http.addRoutes({
      path: '/connect/{ticket}',
      methods: [HttpMethod.GET, HttpMethod.POST],
      integration: connectIntegration,
    })
    http.addRoutes({
      path: '/oauth/{provider}/callback',
      methods: [HttpMethod.GET],
      integration: connectIntegration,
    })

    // What an app asks that needs a mailbox's tokens; everything else of /v1 cannot reach them.
    for (const { method, path } of Object.values(grantEndpoints)) {
      http.addRoutes({ path, methods: [HttpMethod[method]], integration: connectIntegration, authorizer })
    }

    const api = new PostroomFunction(this, 'Api', {
      folder: 'api',
      may: may.api,
      timeoutSeconds: 29,
      memoryMegabytes: 512,
      environment: {
        ...tables,
        ...announcing,
        ...ringing,
        ...polling,
        publicUrl,
        ...accounts,
        ...webhooks,
        providers: tokens.providers,
        returnUrls: JSON.stringify(configuration.returnUrls),
      },
    })
    http.addRoutes({
      path: '/v1/{proxy+}',
      methods: [HttpMethod.ANY],
      integration: new HttpLambdaIntegration('ApiIntegration', api),
      authorizer,
    })

    const stage = http.defaultStage?.node.defaultChild as CfnStage
    stage.accessLogSettings = {
      destinationArn: new LogGroup(this, 'HttpLogs', { retention: RetentionDays.TWO_WEEKS }).logGroupArn,
      format: JSON.stringify(accessLogFields),
    }
    stage.defaultRouteSettings = {
      throttlingRateLimit: callsPerSecond.api,
      throttlingBurstLimit: 2 * callsPerSecond.api,
    }
    const limited = {
      'GET /connect/{ticket}': callsPerSecond.public,
      'POST /connect/{ticket}': callsPerSecond.public,
      'GET /oauth/{provider}/callback': callsPerSecond.public,
      ...Object.fromEntries(
        Object.values(grantEndpoints).map(({ method, path }) => [
          `${method} ${path}`,
          callsPerSecond.provider,
        ]),
      ),
    }
    // CDK hands this object on as it is, so its letters are CloudFormation's.
    stage.routeSettings = Object.fromEntries(
      Object.entries(limited).map(([routeKey, limit]) => [
        routeKey,
        { ThrottlingRateLimit: limit, ThrottlingBurstLimit: 2 * limit },
      ]),
    )
    // CloudFormation refuses settings of a route that is not there yet.
    for (const route of http.node.children.filter(child => child instanceof HttpRoute)) {
      stage.node.addDependency(route)
    }

    if (configuration.federatedAudiences.length > 0) {
      new CfnOutput(this, 'FederatedSubjects', {
        value: [connect, send, fetch].map(fn => fn.role?.roleArn ?? '').join(' '),
        description: 'Each is the subject of a federated credential of the OAuth app',
      })
    }
    new CfnOutput(this, 'Url', { value: publicUrl, description: 'Origin of connect pages and API' })
    new CfnOutput(this, 'OutboundQueueUrl', {
      value: outbound.main.queueUrl,
      description: 'Takes message documents from apps that prefer SQS to HTTP',
    })
    new CfnOutput(this, 'OutboundDeadLetterUrl', { value: outbound.deadLetters.queueUrl })
    new CfnOutput(this, 'EventsTopicArn', {
      value: events.topicArn,
      description: 'Every change, as it happens',
    })
    new CfnOutput(this, 'OAuthAppsSecretArn', {
      value: data.oauthApps.secretArn,
      description: 'Put your OAuth client ids and secrets here',
    })
  }
}
