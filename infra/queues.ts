/** The topic of events and the queues with their dead letters: what lies between one function and the next. */

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

interface Reading {
  /** How long the function that reads the queue may run. */
  readerSeconds: number
  maxReceiveCount: number
}

/** A lost batch is made anew at the mailboxes' next slot. */
const polling: Reading = { readerSeconds: timeoutSeconds.fetch, maxReceiveCount: 2 }

export interface Queues {
  /** Every change, for the app: its queue, Lambda or webhook subscribes here. */
  events: Topic
  /** Mail out: message documents and doorbells → send. */
  outbound: QueueWithDeadLetters
  /** Mail in: batches of mailboxes → fetch, and what else fetch does. All polls that fail twice end in its dead letters. */
  poll: QueueWithDeadLetters
  /** Instead of `poll`, for the batches of one provider: what waits for it holds up no other's. */
  pollOf: Record<string, Queue>
  /** Events out: every event, and doorbells of webhooks → notify. */
  notifications: QueueWithDeadLetters
}

/** @param providers those that have a queue of their own for their polls */
export function makeQueues(scope: Construct, { providers }: { providers: string[] }): Queues {
  const poll = makeQueue(scope, 'Poll', polling)
  const pollOf = providers.map(id => [
    id,
    addQueue(scope, `Poll${inPascalCase(id)}`, polling, poll.deadLetters),
  ])
  const queues = {
    events: new Topic(scope, 'Events', { enforceSSL: true }),
    outbound: makeQueue(scope, 'Outbound', { readerSeconds: timeoutSeconds.send, maxReceiveCount: 5 }),
    poll,
    pollOf: Object.fromEntries(pollOf),
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

const defaults = {
  encryption: QueueEncryption.SQS_MANAGED,
  enforceSSL: true,
  retentionPeriod: Duration.days(14),
  removalPolicy: RemovalPolicy.RETAIN,
}

function makeQueue(scope: Construct, name: string, reading: Reading): QueueWithDeadLetters {
  const deadLetters = new Queue(scope, `${name}DeadLetters`, defaults)
  return { main: addQueue(scope, name, reading, deadLetters), deadLetters }
}

function addQueue(
  scope: Construct,
  name: string,
  { readerSeconds, maxReceiveCount }: Reading,
  deadLetters: Queue,
): Queue {
  return new Queue(scope, name, {
    ...defaults,
    // Lambda refuses a queue whose messages come back while the function may still run.
    visibilityTimeout: Duration.seconds(readerSeconds + 60),
    deadLetterQueue: { queue: deadLetters, maxReceiveCount },
  })
}

/** `microsoft-dod` → `MicrosoftDod`, as the ids of a stack are written. */
export function inPascalCase(providerId: string): string {
  return providerId
    .split('-')
    .map(word => word.slice(0, 1).toUpperCase() + word.slice(1))
    .join('')
}
