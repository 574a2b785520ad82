/**
 * What wakes somebody, as one table. Each alarm says what users lose, and infra/runbook.md says what to do. Few, since
 * each metric that one looks at costs $0.10 a month; what one alarm tells is not told by another: throttles of DynamoDB and KMS
 * are `InternalFaults`, and a `Decrypt` too many is nothing that users lose. test/infra/alarms.test.ts holds each against
 * healthy deployments of one mailbox and of 100,000, and against its own trouble.
 */

import { Aws, Duration } from 'aws-cdk-lib'
import {
  Alarm,
  ComparisonOperator,
  type IMetric,
  MathExpression,
  Metric,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import { ServicePrincipal } from 'aws-cdk-lib/aws-iam'
import { Topic } from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Queue } from 'aws-cdk-lib/aws-sqs'
import type { Construct } from 'constructs'
import { type MetricName, metricDimension, metricNamespace } from '../functions/channel/metrics.ts'
import type { PostroomConfiguration } from './configuration-schema.ts'
import type { Functions } from './functions.ts'
import type { Queues } from './queues.ts'

/** What alarms and the dashboard look at. */
export interface Watched {
  functions: Functions
  queues: Queues
  /** Of the HTTP API. */
  apiId: string
  /** Value of the metrics' one dimension. */
  systemName: string
}

interface AlarmEntry {
  /** What users lose while it lasts. */
  impact: string
  metric: IMetric
  /** In alarm at this value and above; `below` turns it round. */
  threshold: number
  below?: true
  /** So many periods in a row. */
  periods: number
  /** Where no data means that nothing runs. Elsewhere it means that there was nothing to do. */
  missingIsBad?: true
}

const minutes = (count: number) => ({ period: Duration.minutes(count) })

/** A metric of our own (functions/channel/metrics.ts). */
export function ownMetric(
  name: MetricName,
  {
    systemName,
    statistic = 'Sum',
    period = Duration.minutes(5),
  }: {
    systemName: string
    statistic?: string
    period?: Duration
  },
): Metric {
  return new Metric({
    namespace: metricNamespace,
    metricName: name,
    dimensionsMap: { [metricDimension]: systemName },
    statistic,
    period,
  })
}

export function httpMetric(name: '4xx' | '5xx' | 'Count', { apiId }: Watched): Metric {
  return new Metric({
    namespace: 'AWS/ApiGateway',
    metricName: name,
    dimensionsMap: { ApiId: apiId },
    statistic: 'Sum',
    ...minutes(5),
  })
}

/** Each name is the id of the alarm and the heading of its entry in the runbook. */
function alarmEntries(watched: Watched): Record<string, AlarmEntry> {
  const { functions, queues, systemName } = watched
  const own = (name: MetricName, statistic?: string) => ownMetric(name, { systemName, statistic })
  const hourly = (name: MetricName) => ownMetric(name, { systemName, period: Duration.hours(1) })
  const age = (queue: Queue) => queue.metricApproximateAgeOfOldestMessage(minutes(1))
  const depth = ({ deadLetters }: Queues['poll']) =>
    deadLetters.metricApproximateNumberOfMessagesVisible({ ...minutes(5), statistic: 'Maximum' })
  return {
    MailNotLeaving: {
      impact: 'Replies that your users believe sent are still here: the oldest is over 15 minutes late.',
      metric: held({
        oldest: own('OldestDueSeconds', 'Maximum'),
        overdue: own('ChannelsOverdue', 'Maximum'),
        sent: own('MessagesSent'),
      }),
      threshold: 900,
      periods: 2,
    },
    OutboundQueueOld: {
      impact: 'Messages that apps put on the queue are not taken in; nobody has told those apps so.',
      metric: age(queues.outbound.main),
      threshold: 900,
      periods: 5,
    },
    MailOutcomeUnknown: {
      impact:
        'For some messages nobody knows whether they left: their senders must look before they write again.',
      metric: aboveShare(0.001, { trouble: own('MessagesUncertain'), all: own('MessagesSent') }),
      threshold: 1,
      periods: 1,
    },
    PollsLate: {
      impact: 'New mail is seen later than the interval you set, for all mailboxes of a provider.',
      metric: oldest([queues.poll.main, ...Object.values(queues.pollOf)].map(age)),
      threshold: 300,
      periods: 5,
    },
    PollsFailing: {
      impact: 'New mail of many mailboxes is not seen; their provider or its OAuth app is the likely reason.',
      metric: aboveShare(0.02, { trouble: own('PollsFailed'), all: own('PollsDone') }),
      threshold: 10,
      periods: 3,
    },
    ScheduleSilent: {
      impact:
        'Nobody’s mail is fetched, nothing that failed is tried again: the minute’s schedule does not run.',
      metric: functions.schedule.metricInvocations(minutes(5)),
      threshold: 1,
      below: true,
      periods: 1,
      missingIsBad: true,
    },
    EventsLate: {
      impact: 'Webhooks are told late: apps show mail that is over 15 minutes old as if it had not come.',
      metric: age(queues.notifications.main),
      threshold: 900,
      periods: 5,
    },
    OutboundDeadLetters: {
      impact: 'Messages of apps were not accepted, and lie where they can be read, mended and sent again.',
      metric: depth(queues.outbound),
      threshold: 1,
      periods: 1,
    },
    PollDeadLetters: {
      impact: 'A batch of mailboxes was twice not polled to its end; their next turn fetches what is new.',
      metric: depth(queues.poll),
      threshold: 1,
      periods: 1,
    },
    NotifyDeadLetters: {
      impact: 'Webhooks were not told of some events; the event log (GET /v1/events) has them.',
      metric: depth(queues.notifications),
      threshold: 1,
      periods: 1,
    },
    SendErrors: {
      impact:
        'Mail leaves late: the function that sends ends in the middle of its work, and what it held is taken up again.',
      metric: functions.send.metricErrors(minutes(5)),
      threshold: 3,
      periods: 1,
    },
    FetchErrors: {
      impact: 'New mail is seen late: the function that fetches ends in the middle of its work.',
      metric: functions.fetch.metricErrors(minutes(5)),
      threshold: 3,
      periods: 1,
    },
    ScheduleErrors: {
      impact: 'Some of what each minute brings is not done: polls, retries, reminders or deliveries.',
      metric: functions.schedule.metricErrors(minutes(5)),
      threshold: 3,
      periods: 1,
    },
    NotifyErrors: {
      impact: 'Webhooks are told late: the function that tells them ends in the middle of its work.',
      metric: functions.notify.metricErrors(minutes(5)),
      threshold: 3,
      periods: 1,
    },
    HttpErrors: {
      impact: 'People cannot connect mailboxes, or apps get no answer from the API (HTTP 5xx).',
      metric: aboveShare(0.01, { trouble: httpMetric('5xx', watched), all: httpMetric('Count', watched) }),
      threshold: 5,
      periods: 2,
    },
    Throttled: {
      impact:
        'Calls wait or are refused because the account has no more concurrent executions, ours or another system’s.',
      // Over all functions of the account and region: it is their common limit that is used up.
      metric: new Metric({
        namespace: 'AWS/Lambda',
        metricName: 'Throttles',
        statistic: 'Sum',
        ...minutes(5),
      }),
      threshold: 10,
      periods: 2,
    },
    AppRefused: {
      impact:
        'No mailbox of an OAuth app can be refreshed: all of them stop within the hour, and nobody can connect.',
      metric: own('AppFaults', 'Maximum'),
      threshold: 1,
      periods: 1,
    },
    ManyPrompts: {
      impact: 'Many people at once were asked to reconnect; their mail waits until they do.',
      // A mailbox is polled once to twelve times an hour: of a thousand, some are asked in a day, and are reminded.
      metric: aboveShare(0.0005, { trouble: hourly('PromptsRaised'), all: hourly('PollsDone') }),
      threshold: 25,
      periods: 1,
    },
    InternalFaults: {
      impact:
        'Mail is late and no mailbox is to blame: DynamoDB, S3, KMS, Secrets Manager or SNS refuse calls.',
      metric: aboveShare(0.001, { trouble: own('InternalFaults'), all: own('PollsDone') }),
      threshold: 10,
      periods: 2,
    },
  }
}

/**
 * A number that is much for few mailboxes is nothing among many: counts only where it is more than this part of all. What
 * was never done writes no metric, which must not hide the trouble: hence `FILL`.
 */
function aboveShare(share: number, { trouble, all }: { trouble: Metric; all: Metric }): IMetric {
  return new MathExpression({
    expression: `IF(trouble > ${share} * FILL(all, 0), trouble, 0)`,
    usingMetrics: { trouble, all },
    period: trouble.period,
  })
}

/** At its provider's pace a channel sends some 150 messages in five minutes. */
const slowestPace = 30
/** The pace lets a day's worth of mail wait for so long. */
const longestWaitSeconds = 6 * 3600

/**
 * How late the oldest message is; 0 while every channel that is overdue sends at its provider's pace: one that was given a
 * thousand messages at once is rightly late. A single one that stands still among many that send is told after hours.
 */
function held({ oldest, overdue, sent }: Record<'oldest' | 'overdue' | 'sent', Metric>): IMetric {
  return new MathExpression({
    expression: `IF(oldest >= ${longestWaitSeconds} OR FILL(sent, 0) < ${slowestPace} * overdue, oldest, 0)`,
    usingMetrics: { oldest, overdue, sent },
    period: oldest.period,
  })
}

/** The highest of several; CloudWatch charges an alarm for each of them. */
function oldest(ages: Metric[]): IMetric {
  const usingMetrics = Object.fromEntries(ages.map((age, index) => [`queue${index}`, age]))
  return new MathExpression({ expression: 'MAX(METRICS())', usingMetrics, ...minutes(1) })
}

/** @returns the topic that all of them tell */
export function makeAlarms(
  scope: Construct,
  watched: Watched,
  { email }: Pick<PostroomConfiguration['operations'], 'email'>,
): Topic {
  const topic = new Topic(scope, 'Alarms', {
    enforceSSL: true,
    displayName: `Postroom ${watched.systemName}`,
  })
  // A policy of its own takes the place of the one that lets everything of the account publish.
  topic.grantPublish(
    new ServicePrincipal('cloudwatch.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
    }),
  )
  if (email) topic.addSubscription(new EmailSubscription(email))
  const tell = new SnsAction(topic)
  for (const [name, entry] of Object.entries(alarmEntries(watched))) {
    const alarm = new Alarm(scope, `${name}Alarm`, {
      alarmName: `${watched.systemName}-${name}`,
      alarmDescription: `${entry.impact} Runbook: infra/runbook.md#${name.toLowerCase()}`,
      metric: entry.metric,
      threshold: entry.threshold,
      comparisonOperator: entry.below
        ? ComparisonOperator.LESS_THAN_THRESHOLD
        : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      evaluationPeriods: entry.periods,
      treatMissingData: entry.missingIsBad ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(tell)
    alarm.addOkAction(tell)
  }
  return topic
}
