/** The topic of events and the three queues, each with its dead letters: what lies between one function and the next. */

import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { SqsSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { timeoutSeconds } from './timeouts.ts'

interface QueueWithDeadLetters {
  main: Queue
  deadLetters: Queue
}

export interface Queues {
  /** Every change, for the app: its queue, Lambda or webhook subscribes here. */
  events: Topic
  /** Mail out: message documents and doorbells → send. */
  outbound: QueueWithDeadLetters
  /** Mail in: batches of mailboxes → fetch. */
  poll: QueueWithDeadLetters
  /** Events out: every event, and doorbells of webhooks → notify. */
  notifications: QueueWithDeadLetters
}

export function makeQueues(scope: Construct): Queues {
  const queues = {
    events: new Topic(scope, 'Events', { enforceSSL: true }),
    outbound: makeQueue(scope, 'Outbound', { readerSeconds: timeoutSeconds.send, maxReceiveCount: 5 }),
    // A lost batch is made anew at the mailboxes' next slot.
    poll: makeQueue(scope, 'Poll', { readerSeconds: timeoutSeconds.fetch, maxReceiveCount: 2 }),
    // What is wrong with a receiver is kept on its own list, so a message comes back only while our own tables
    // fail, for as long as that takes.
    notifications: makeQueue(scope, 'Notify', {
      readerSeconds: timeoutSeconds.notify,
      maxReceiveCount: 100,
    }),
  }
  const { events, notifications } = queues
  events.addSubscription(
    new SqsSubscription(notifications.main, {
      rawMessageDelivery: true,
      deadLetterQueue: notifications.deadLetters,
    }),
  )
  return queues
}

/** @param readerSeconds how long the function that reads it may run */
function makeQueue(
  scope: Construct,
  name: string,
  { readerSeconds, maxReceiveCount }: { readerSeconds: number; maxReceiveCount: number },
): QueueWithDeadLetters {
  const defaults = {
    encryption: QueueEncryption.SQS_MANAGED,
    enforceSSL: true,
    retentionPeriod: Duration.days(14),
    removalPolicy: RemovalPolicy.RETAIN,
  }
  const deadLetters = new Queue(scope, `${name}DeadLetters`, defaults)
  const main = new Queue(scope, name, {
    ...defaults,
    // Lambda refuses a queue whose messages come back while the function may still run.
    visibilityTimeout: Duration.seconds(readerSeconds + 60),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount },
  })
  return { main, deadLetters }
}
