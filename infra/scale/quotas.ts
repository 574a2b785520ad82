/**
 * Limits that growth meets: what AWS gives an account in a region unless asked for more, and what we set ourselves. Each says
 * what of it a load takes; units are counted (units.ts here and in cost/), durations are those of infra/cost.md.
 */

import { readConfiguration } from '../configuration.ts'
import { counted } from '../cost/units.ts'
import { callsPerSecond } from '../http-api.ts'
import { allAtOnce, atOnce, eventsOf, invocations, type Load, type Rates } from './load.ts'
import type { RecordedRun } from './recorded.ts'
import { countedBesides } from './units.ts'

export interface Limit {
  name: string
  most: number
  /** Page of AWS that says so; none if it is ours. */
  source?: string
  /** What is taken of it. */
  takes(rates: Rates, run: RecordedRun): number
  /**
   * What decides. `waits`: more stays in a queue and is late, so only what is usual must fit. `minute`: it lasts for seconds.
   * `second`: more is refused at once.
   */
  by: 'waits' | 'minute' | 'second'
  /** AWS raises it as it is used. */
  growsByItself?: true
  remedy: string
}

const aws = (path: string) => `https://docs.aws.amazon.com/${path}`
const lambda = aws('lambda/latest/dg/gettingstarted-limits.html')
const lambdaScaling = aws('lambda/latest/dg/scaling-behavior.html')
const lambdaQueues = aws('lambda/latest/dg/services-sqs-scaling.html')
const sns = aws('general/latest/gr/sns.html')
const s3 = aws('AmazonS3/latest/userguide/optimizing-performance.html')
const table = aws('amazondynamodb/latest/developerguide/on-demand-capacity-mode-max-throughput.html')
const newTable = aws('amazondynamodb/latest/developerguide/warm-throughput-scenarios.html')
const partition = aws('amazondynamodb/latest/developerguide/bp-partition-key-design.html')

/** Of the provider that most mailboxes belong to: it has a queue of its own. */
const fetchOfLargest = (rates: Rates, { awayShare }: RecordedRun) => atOnce(rates).fetch * awayShare

type Unit = 'reads' | 'writes' | 's3Puts' | 's3Gets' | 'snsPublishes'
const mails = (unit: Unit, { received, accepted, sent }: Rates) =>
  received * counted.receivedMail[unit] +
  accepted * counted.acceptedMail[unit] +
  sent * counted.sentMail[unit]

function reads(rates: Rates): number {
  return (
    rates.polls * counted.idlePoll.reads +
    rates.refreshes * counted.refresh.reads +
    mails('reads', rates) +
    eventsOf(rates) * countedBesides.toldWebhook.reads +
    rates.scheduleReads
  )
}

function writes(rates: Rates): number {
  return (
    rates.refreshes * counted.refresh.writes +
    rates.moves * countedBesides.movedSlot.writes +
    rates.readTimes * counted.readTime.writes +
    mails('writes', rates) +
    eventsOf(rates) * countedBesides.toldWebhook.writes
  )
}

/** What the receiver of a webhook is thought to take for its answer. */
const receiverSeconds = 0.1

const { pollConcurrency } = readConfiguration({})
const publishes = (rates: Rates) => mails('snsPublishes', rates)
const askAws = 'ask AWS for more'

export const limits: Limit[] = [
  {
    name: 'events in a second to one webhook',
    most: 1 / receiverSeconds,
    takes: eventsOf,
    by: 'waits',
    remedy:
      'a webhook for each account, or a queue of your own at `EventsTopicArn`: it is posted one after the other, and this is where each takes a tenth of a second',
  },
  {
    name: '`pollConcurrency` of one provider',
    most: pollConcurrency.microsoft,
    takes: fetchOfLargest,
    by: 'waits',
    remedy: 'raise it, up to 1,000',
  },
  {
    name: 'calls of the API in a second',
    most: callsPerSecond.api,
    takes: ({ accepted }) => accepted,
    by: 'second',
    remedy:
      '`callsPerSecond` in http-api.ts, or send by the queue; each message is one call here, and nothing else is called',
  },
  {
    name: 'Lambda, at once, in a new account',
    most: 10,
    source: lambda,
    takes: allAtOnce,
    by: 'minute',
    growsByItself: true,
    remedy: `${askAws}, and set \`pollConcurrency\` to 2 each until then (deploy.md)`,
  },
  {
    name: 'Lambda, at once',
    most: 1_000,
    source: lambda,
    takes: allAtOnce,
    by: 'minute',
    remedy: askAws,
  },
  {
    name: 'Lambda, more of one function in ten seconds',
    most: 1_000,
    source: lambdaScaling,
    takes: rates => Math.max(...Object.values(atOnce(rates))),
    by: 'minute',
    remedy: 'nothing: it is there some seconds later',
  },
  {
    name: 'Lambda, at once from one queue',
    most: 1_000,
    source: lambdaQueues,
    takes: fetchOfLargest,
    by: 'waits',
    remedy: 'provisioned pollers instead of a maximum, in functions.ts',
  },
  {
    name: 'Lambda, more from one queue in a minute',
    most: 300,
    source: lambdaQueues,
    takes: fetchOfLargest,
    by: 'waits',
    remedy: 'nothing: only after a standstill, and it is there a minute later',
  },
  {
    name: 'SQS, in flight in one queue',
    most: 120_000,
    source: aws('AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html'),
    takes: rates => Math.max(...Object.values(atOnce(rates))),
    by: 'minute',
    remedy: askAws,
  },
  {
    name: 'SNS, messages in a second, in small regions (London, Paris, Stockholm …)',
    most: 300,
    source: sns,
    takes: publishes,
    by: 'second',
    remedy: `${askAws} before you grow there`,
  },
  {
    name: 'SNS, messages in a second, in Ohio, Frankfurt, Tokyo …',
    most: 1_500,
    source: sns,
    takes: publishes,
    by: 'second',
    remedy: askAws,
  },
  {
    name: 'SNS, messages in a second, in N. Virginia',
    most: 30_000,
    source: sns,
    takes: publishes,
    by: 'second',
    remedy: askAws,
  },
  {
    name: 'KMS, symmetric and HMAC in a second, where it is least',
    most: 10_000,
    source: aws('kms/latest/developerguide/requests-per-second.html'),
    takes: rates =>
      rates.refreshes * countedBesides.refreshAtStart.kmsCalls +
      eventsOf(rates) * countedBesides.webhookAtStart.kmsCalls,
    by: 'second',
    remedy: `${askAws}; this is as if nothing were cached, and a data key is for 15 minutes`,
  },
  {
    name: 'Secrets Manager, reads in a second',
    most: 10_000,
    source: aws('secretsmanager/latest/userguide/reference_limits.html'),
    takes: ({ refreshes }) => refreshes * countedBesides.refreshAtStart.secretReads,
    by: 'second',
    remedy: 'as if nothing were cached, and the secret is for 5 minutes',
  },
  {
    name: 'API Gateway, calls in a second (2,500 in newer regions)',
    most: 10_000,
    source: aws('apigateway/latest/developerguide/limits.html'),
    takes: ({ accepted }) => accepted,
    by: 'second',
    remedy: askAws,
  },
  {
    name: 'EventBridge Scheduler, calls in a second',
    most: 1_000,
    source: aws('scheduler/latest/UserGuide/scheduler-quotas.html'),
    takes: () => 1 / 60,
    by: 'second',
    remedy: 'one a minute, however many mailboxes',
  },
  {
    name: 'S3, writes in a second under one prefix',
    most: 3_500,
    source: s3,
    takes: rates => mails('s3Puts', rates),
    by: 'second',
    remedy: 'S3 parts a busy prefix by itself: `accounts/` by account',
  },
  {
    name: 'S3, reads in a second under one prefix',
    most: 5_500,
    source: s3,
    takes: rates => mails('s3Gets', rates),
    by: 'second',
    remedy: 'as for writes; what apps read is not in it',
  },
  {
    name: 'CloudWatch Logs, `PutLogEvents` in a second',
    most: 5_000,
    source: aws('AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html'),
    takes: invocations,
    by: 'second',
    remedy: `${askAws}; this is as if Lambda wrote once for each invocation`,
  },
  {
    name: 'DynamoDB, reads of a table that is new',
    most: 12_000,
    source: newTable,
    takes: reads,
    by: 'second',
    growsByItself: true,
    remedy:
      'grows with its traffic, twice in half an hour; before a move of many at once, raise its warm throughput',
  },
  {
    name: 'DynamoDB, writes of a table that is new',
    most: 4_000,
    source: newTable,
    takes: writes,
    by: 'second',
    growsByItself: true,
    remedy: 'as for reads of a new one',
  },
  {
    name: 'DynamoDB, reads of a table',
    most: 40_000,
    source: table,
    takes: reads,
    by: 'second',
    remedy: askAws,
  },
  {
    name: 'DynamoDB, writes of a table',
    most: 40_000,
    source: table,
    takes: writes,
    by: 'second',
    remedy: askAws,
  },
  {
    name: 'DynamoDB, reads of one partition',
    most: 3_000,
    source: partition,
    takes: ({ hottestReads }) => hottestReads,
    by: 'second',
    remedy: 'more `shards` in slots.ts',
  },
  {
    name: 'DynamoDB, writes of one partition',
    most: 1_000,
    source: partition,
    takes: ({ hottestWrites }) => hottestWrites,
    by: 'second',
    remedy: 'more shards of the outbox, in outbox.ts',
  },
]

export interface Held {
  limit: Limit
  usual: number
  peak: number
  /** Mailboxes at which it is full, if what is taken grows as they do; infinite if it does not. */
  fullAt: number
}

/** Those that are full first come first. */
export function heldAgainst(load: Load): Held[] {
  const { run, usual, minute, second } = load
  const held = limits.map(limit => {
    const taken = limit.takes(usual, run)
    const peak = limit.takes(limit.by === 'second' ? second : minute, run)
    const decisive = limit.by === 'waits' ? taken : peak
    // The only one that no load changes.
    const grows = limit.takes(nothing, run) !== taken
    const fullAt = grows ? (run.mailboxes * limit.most) / decisive : Number.POSITIVE_INFINITY
    return { limit, usual: taken, peak, fullAt }
  })
  return held.sort((one, other) => one.fullAt - other.fullAt)
}

const nothing: Rates = {
  polls: 0,
  batches: 0,
  moves: 0,
  received: 0,
  sent: 0,
  accepted: 0,
  readTimes: 0,
  refreshes: 0,
  scheduleReads: 0,
  hottestReads: 0,
  hottestWrites: 0,
}
