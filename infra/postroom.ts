/**
 * The system as one construct, for our own stacks (stacks.ts) and for another CDK app, to which this file is the package (package.ts):
 *
 *     import { Postroom, PostroomData } from 'postroom'
 *     const data = new PostroomData(keptStack, 'Mailboxes')      // what must survive
 *     new Postroom(this, 'Mailboxes', { data, configuration: { returnUrls: [...] } })
 *
 * example/ holds such an app.
 */

import { CfnOutput, Stack, Token } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Construct } from 'constructs'
import { makeAlarms, type Watched } from './alarms.ts'
import { makeBudget } from './budget.ts'
import { ConfigurationError, readConfiguration } from './configuration.ts'
import type { ConfigurationInput, PostroomConfiguration } from './configuration-schema.ts'
import { makeConsole } from './console-function.ts'
import { makeDashboard } from './dashboard.ts'
import { type Functions, makeFunctions, ofEveryApp } from './functions.ts'
import { addRoutes, logAndLimit, makeHttpApi } from './http-api.ts'
import { PostroomData } from './postroom-data.ts'
import { makeQueues, type Queues } from './queues.ts'

export { PostroomData }

export interface PostroomProps {
  /**
   * Tables, mail and keys. Best in a stack of their own, which outlives this one; without it they are made here, and
   * are retained all the same.
   */
  data?: PostroomData
  /** @see configuration-schema.ts, where every field, rule and default stands */
  configuration?: ConfigurationInput
}

export class Postroom extends Construct {
  /** Begins the names of the functions' roles. */
  readonly name: string
  readonly data: PostroomData
  /** The topic of all events, the queue that takes message documents, and what lies between the functions. */
  readonly queues: Queues
  readonly http: HttpApi
  /** Origin of connect pages and API. */
  readonly url: string
  readonly functions: Functions

  /** @throws ConfigurationError */
  constructor(scope: Construct, id: string, props: PostroomProps = {}) {
    super(scope, id)
    const configuration = readConfiguration(props.configuration)
    this.name = configuration.name ?? Stack.of(this).stackName
    refuseWrongPlace(this, configuration)

    this.data = props.data ?? new PostroomData(this, 'Data', { configuration })
    const { others: _, ...ownQueue } = configuration.pollConcurrency
    this.queues = makeQueues(this, { providers: Object.keys(ownQueue) })
    const { http, url } = makeHttpApi(this, configuration)
    this.http = http
    this.url = url
    this.functions = makeFunctions(this, {
      data: this.data,
      queues: this.queues,
      systemName: this.name,
      publicUrl: url,
      configuration,
    })
    const console = makeConsole(this, { systemName: this.name, mail: this.data.mail, configuration })
    addRoutes(http, { ...this.functions, console, authentication: configuration.authentication })
    logAndLimit(this, http, configuration.retention.logDays)
    watch(this, configuration)
    tellOutputs(this, configuration)
  }
}

function watch(system: Postroom, { operations }: PostroomConfiguration): void {
  const { functions, queues, http, name } = system
  const watched: Watched = { functions, queues, apiId: http.apiId, systemName: name }
  const { email, monthlyBudgetUsd } = operations
  if (operations.alarms) {
    const topic = makeAlarms(system, watched, operations)
    new CfnOutput(system, 'AlarmsTopicArn', { value: topic.topicArn, description: 'Every alarm and its end' })
  }
  if (operations.dashboard) makeDashboard(system, watched)
  if (monthlyBudgetUsd && email) makeBudget(system, { monthlyUsd: monthlyBudgetUsd, email })
}

/** What AWS would refuse in the middle of a deployment. */
function refuseWrongPlace(system: Postroom, { region }: PostroomConfiguration): void {
  const stack = Stack.of(system)
  if (region && (Token.isUnresolved(stack.region) || stack.region !== region)) {
    throw new ConfigurationError([{ field: 'region', rule: 'must be that of its stack', found: region }])
  }
  const placeOf = (one: Postroom) => `${Stack.of(one).account} ${Stack.of(one).region} ${one.name}`
  const twin = stack.node.root.node
    .findAll()
    .find(other => other instanceof Postroom && other !== system && placeOf(other) === placeOf(system))
  if (twin) {
    const rule = 'must be another for each Postroom of an account and region'
    throw new ConfigurationError([{ field: 'name', rule, found: system.name }])
  }
}

function tellOutputs(system: Postroom, { apps }: PostroomConfiguration): void {
  const { events, outbound } = system.queues
  const { connect, send, fetch } = system.functions
  if (ofEveryApp(apps).federatedAudiences.length > 0) {
    new CfnOutput(system, 'FederatedSubjects', {
      value: [connect, send, fetch].map(fn => fn.role?.roleArn ?? '').join(' '),
      description: 'Each is the subject of a federated credential of the OAuth app',
    })
  }
  const { poll, pollOf, notifications } = system.queues
  new CfnOutput(system, 'LeftByPostroom', {
    value: [outbound, poll, notifications]
      .flatMap(({ main, deadLetters }) => [main, deadLetters])
      .concat(Object.values(pollOf))
      .map(({ queueUrl }) => queueUrl)
      .join(' '),
    description: 'Queues that stay when this stack is removed',
  })
  new CfnOutput(system, 'Url', { value: system.url, description: 'Origin of connect pages and API' })
  new CfnOutput(system, 'OutboundQueueUrl', {
    value: outbound.main.queueUrl,
    description: 'Takes message documents from apps that prefer SQS to HTTP',
  })
  new CfnOutput(system, 'OutboundDeadLetterUrl', { value: outbound.deadLetters.queueUrl })
  new CfnOutput(system, 'EventsTopicArn', {
    value: events.topicArn,
    description: 'Every change, as it happens',
  })
  new CfnOutput(system, 'OAuthAppsSecretArn', {
    value: system.data.oauthApps.secretArn,
    description: 'Put your OAuth client ids and secrets here',
  })
}
