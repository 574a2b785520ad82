/**
 * Postroom within another CDK app: a help desk whose customers' mailboxes it connects. Everything that the desk needs
 * of Postroom comes through `../postroom.ts`.
 */

import { Stack, type StackProps } from 'aws-cdk-lib'
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { SubscriptionFilter } from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { Postroom, type PostroomData } from '../postroom.ts'

export interface HelpDeskProps extends StackProps {
  /** In a stack of its own: when the desk is removed and made anew, its customers need not reconnect. */
  mailboxes: PostroomData
}

export class HelpDesk extends Stack {
  constructor(scope: Construct, id: string, { mailboxes, ...props }: HelpDeskProps) {
    super(scope, id, props)

    const postroom = new Postroom(this, 'Mailboxes', {
      data: mailboxes,
      configuration: {
        // Entra and Google are told of these roles and addresses: they shall not change with the name of a stack.
        name: 'HelpDeskMail',
        appName: 'Example Desk',
        returnUrls: ['https://desk.example.com/mailboxes/connected'],
        pollIntervalMinutes: 1,
      },
    })

    // Mail in: the desk reads what it wants to know of from a queue of its own.
    const inbox = new Queue(this, 'Inbox', { enforceSSL: true })
    postroom.queues.events.addSubscription(
      new SqsSubscription(inbox, {
        rawMessageDelivery: true,
        filterPolicy: {
          type: SubscriptionFilter.stringFilter({
            allowlist: ['message.received', 'message.bounced', 'channel.reconnect_required'],
          }),
        },
      }),
    )

    // Mail out: the desk puts message documents on the queue, or calls the API, signed with its role.
    const desk = new Role(this, 'Desk', { assumedBy: new ServicePrincipal('ecs-tasks.amazonaws.com') })
    inbox.grantConsumeMessages(desk)
    postroom.queues.outbound.main.grantSendMessages(desk)
    desk.addToPolicy(
      new PolicyStatement({
        actions: ['execute-api:Invoke'],
        resources: [postroom.http.arnForExecuteApi('*', '/v1/*')],
      }),
    )
  }
}
