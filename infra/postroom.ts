/** The system as one construct, for our own stacks and for another CDK app, which imports this file. */

import { CfnOutput } from 'aws-cdk-lib'
import type { HttpApi } from 'aws-cdk-lib/aws-apigatewayv2'
import { Construct } from 'constructs'
import type { PostroomConfiguration } from './configuration.ts'
import { type Functions, makeFunctions } from './functions.ts'
import { addRoutes, logAndLimit, makeHttpApi } from './http-api.ts'
import type { PostroomData } from './postroom-data.ts'
import { makeQueues, type Queues } from './queues.ts'

export interface PostroomProps {
  data: PostroomData
  configuration: PostroomConfiguration
}

export class Postroom extends Construct {
  readonly queues: Queues
  readonly http: HttpApi
  readonly functions: Functions
  /** Origin of connect pages and API. */
  readonly url: string

  constructor(scope: Construct, id: string, { data, configuration }: PostroomProps) {
    super(scope, id)
    this.queues = makeQueues(this)
    this.http = makeHttpApi(this)
    this.url = configuration.publicUrl ?? this.http.apiEndpoint
    this.functions = makeFunctions(this, { data, queues: this.queues, publicUrl: this.url, configuration })
    addRoutes(this.http, { ...this.functions, authentication: configuration.authentication })
    logAndLimit(this, this.http)
    this.tellOutputs(data, configuration)
  }

  private tellOutputs(data: PostroomData, configuration: PostroomConfiguration): void {
    const { events, outbound } = this.queues
    const { connect, send, fetch } = this.functions
    if (configuration.federatedAudiences.length > 0) {
      new CfnOutput(this, 'FederatedSubjects', {
        value: [connect, send, fetch].map(fn => fn.role?.roleArn ?? '').join(' '),
        description: 'Each is the subject of a federated credential of the OAuth app',
      })
    }
    new CfnOutput(this, 'Url', { value: this.url, description: 'Origin of connect pages and API' })
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
