/** No alarm rings on a healthy deployment, of one mailbox or of 100,000; each rings on its own trouble. */

import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { metricUnits } from '../../functions/channel/metrics.ts'
import {
  type AlarmProperties,
  evaluate,
  type Series,
  seriesName,
  stateAfter,
  statesOf,
} from '../support/alarm-evaluation.ts'
import { buildApp } from './synthesized.ts'

const found = Template.fromStack(buildApp().system).findResources('AWS::CloudWatch::Alarm')
const alarms = new Map(
  Object.values(found).map(({ Properties }): [string, AlarmProperties] => [
    String(Properties.AlarmName).replace('Postroom-', ''),
    Properties,
  ]),
)
const minutes = 12 * 60

/** So many a minute, as whole numbers; what is nothing writes no metric. */
function rate(perMinute: number): (minute: number) => number | undefined {
  return minute => Math.floor((minute + 1) * perMinute) - Math.floor(minute * perMinute) || undefined
}
const always = (value: number) => () => value
const never = () => undefined

/** What is assumed of a healthy deployment; polled every five minutes. */
function healthy(mailboxes: number, { isBusy }: { isBusy: boolean }): Series {
  const polls = mailboxes / 5
  const sends = isBusy ? mailboxes / 70 : 0
  // One in a thousand has been given more than its provider takes within minutes, and sends at the provider's pace.
  const bulk = isBusy ? Math.max(1, mailboxes / 1_000) : 0
  const calls = isBusy ? mailboxes / 10 : 0
  const workers = ['Send', 'Fetch', 'Schedule', 'NotifyWebhooks']
  const idleQueue = isBusy ? undefined : never
  return {
    OldestDueSeconds: always(bulk > 0 ? 5_000 : 0),
    ChannelsOverdue: always(bulk),
    MessagesSent: rate(sends + 30 * bulk),
    MessagesUncertain: rate(sends / 100_000),
    PollsDone: rate(polls),
    PollsFailed: rate(polls * 0.003),
    PromptsRaised: rate((mailboxes * 0.005) / (24 * 60)),
    AppFaults: always(0),
    InternalFaults: rate(polls / 50_000),
    'ApproximateAgeOfOldestMessage Outbound': idleQueue ?? always(20),
    'ApproximateAgeOfOldestMessage Notify': idleQueue ?? always(60),
    ...Object.fromEntries(
      ['Poll', 'PollMicrosoft', 'PollGoogle'].map(queue => [
        `ApproximateAgeOfOldestMessage ${queue}`,
        idleQueue ?? always(110),
      ]),
    ),
    ...Object.fromEntries(
      ['Outbound', 'Poll', 'Notify'].map(queue => [
        `ApproximateNumberOfMessagesVisible ${queue}DeadLetters`,
        always(0),
      ]),
    ),
    'Invocations Schedule': always(1),
    ...Object.fromEntries(workers.map(name => [`Errors ${name}`, always(0)])),
    // Lambda itself, now and then.
    'Errors Fetch': minute => (isBusy && minute % 10 === 0 ? 1 : 0),
    Throttles: always(0),
    'Count Http': rate(calls),
    '5xx Http': rate(calls / 2_000),
  }
}

const deployments: [string, Series][] = [
  ['one mailbox, idle', healthy(1, { isBusy: false })],
  ['one mailbox with very much to send', healthy(1, { isBusy: true })],
  ['100,000 mailboxes, idle', healthy(100_000, { isBusy: false })],
  ['100,000 mailboxes, busy', healthy(100_000, { isBusy: true })],
]
const [, one] = deployments[0] as [string, Series]
const [, many] = deployments[3] as [string, Series]

const grows = (minute: number) => minute * 60
const times = (name: string, factor: number, base = many) => {
  const given = base[name]
  return (minute: number) => (given?.(minute) ?? 0) * factor || undefined
}

/** What each is for, on the deployment on which it is hardest to see. */
const troubles: Record<string, { [what: string]: Series }> = {
  MailNotLeaving: {
    'the only mailbox does not send': {
      ...one,
      OldestDueSeconds: grows,
      ChannelsOverdue: minute => (minute > 15 ? 1 : 0),
    },
    'every other of many does not': {
      ...many,
      OldestDueSeconds: grows,
      ChannelsOverdue: minute => (minute > 15 ? 160 : 100),
      MessagesSent: times('MessagesSent', 0.5),
    },
    'one of many stands still': { ...many, OldestDueSeconds: grows, ChannelsOverdue: always(101) },
  },
  OutboundQueueOld: {
    'send is switched off': { ...one, 'ApproximateAgeOfOldestMessage Outbound': grows },
  },
  MailOutcomeUnknown: {
    'one message of few': { ...one, MessagesUncertain: minute => (minute === 100 ? 1 : undefined) },
    'a server that breaks off, of many': { ...many, MessagesUncertain: rate(10) },
  },
  PollsLate: {
    'the queue of one provider': { ...many, 'ApproximateAgeOfOldestMessage PollGoogle': grows },
  },
  PollsFailing: {
    'all of 20': { ...healthy(20, { isBusy: true }), PollsDone: never, PollsFailed: rate(4) },
    'a provider that a tenth of many is with, half of them at rest': { ...many, PollsFailed: rate(1_000) },
  },
  ScheduleSilent: { 'it is not called': { ...one, 'Invocations Schedule': never } },
  EventsLate: { 'notify does not keep up': { ...many, 'ApproximateAgeOfOldestMessage Notify': grows } },
  OutboundDeadLetters: {
    'one document': { ...one, 'ApproximateNumberOfMessagesVisible OutboundDeadLetters': always(1) },
  },
  PollDeadLetters: {
    'one batch': { ...many, 'ApproximateNumberOfMessagesVisible PollDeadLetters': always(1) },
  },
  NotifyDeadLetters: {
    'one event': { ...one, 'ApproximateNumberOfMessagesVisible NotifyDeadLetters': always(1) },
  },
  SendErrors: { 'it is ended again and again': { ...one, 'Errors Send': always(1) } },
  FetchErrors: { 'it is ended again and again': { ...one, 'Errors Fetch': always(1) } },
  ScheduleErrors: { 'every minute fails': { ...one, 'Errors Schedule': always(1) } },
  NotifyErrors: { 'it is ended again and again': { ...one, 'Errors NotifyWebhooks': always(1) } },
  HttpErrors: {
    'every call of few': { ...one, 'Count Http': rate(2), '5xx Http': rate(2) },
    'two of a hundred': { ...many, '5xx Http': rate(200) },
  },
  Throttled: { 'no room': { ...many, Throttles: rate(10) } },
  AppRefused: { 'its secret has ended': { ...one, AppFaults: always(1) } },
  ManyPrompts: {
    'all of 30': { ...healthy(30, { isBusy: true }), PromptsRaised: rate(0.5) },
    'an organization of 1,000 among many': {
      ...many,
      PromptsRaised: minute => (minute >= 60 && minute < 120 ? 17 : 1),
    },
  },
  InternalFaults: {
    'DynamoDB is away, and nothing is done': { ...one, PollsDone: never, InternalFaults: rate(5) },
    'one call in a hundred fails': { ...many, InternalFaults: rate(200) },
  },
}

const all = [...alarms].map(([name, alarm]) => ({ name, alarm }))

describe.each(deployments)('%s, healthy', (_name, series) => {
  test.each(all)('$name does not ring', ({ alarm }) => {
    expect(statesOf(alarm, series, minutes)).not.toContain('ALARM')
  })
})

test('every alarm has its trouble', () => {
  expect(Object.keys(troubles).toSorted()).toEqual([...alarms.keys()].toSorted())
})

test.each(
  Object.entries(troubles).flatMap(([name, cases]) =>
    Object.entries(cases).map(([what, series]) => ({ name, what, series })),
  ),
)('$name rings: $what', ({ name, series }) => {
  expect(statesOf(alarms.get(name) as AlarmProperties, series, minutes)).toContain('ALARM')
})

test('regression: the alarm of a refused OAuth app ended after five minutes, while the app was refused', () => {
  const alarm = alarms.get('AppRefused') as AlarmProperties
  const states = statesOf(alarm, { ...one, AppFaults: minute => (minute < 60 ? 1 : 0) }, 120)
  expect(states.slice(0, 12)).toEqual(Array(12).fill('ALARM'))
  expect(states.at(-1)).toBe('OK')
})

test('every metric that an alarm looks at is assumed of a healthy deployment', () => {
  const looked = all.flatMap(({ alarm }) =>
    alarm.Metrics
      ? alarm.Metrics.flatMap(({ MetricStat }) => (MetricStat ? seriesName(MetricStat.Metric) : []))
      : seriesName({ MetricName: alarm.MetricName ?? '', Dimensions: alarm.Dimensions }),
  )
  expect([...new Set(looked)].filter(name => !(name in many))).toEqual([])
  const own = Object.keys(many).filter(name => !name.includes(' ') && name !== 'Throttles')
  expect(own.filter(name => !(name in metricUnits))).toEqual([])
})

/** Rows of AWS's own table, 3 of 3: oldest first, X breaches, 0 does not, - is missing. */
describe.each([
  ['0-X-X', 'OK', 'OK'],
  ['0XX-X', 'ALARM', 'ALARM'],
  ['0----', 'OK', 'OK'],
  ['-----', 'ALARM', 'OK'],
  ['--X--', 'ALARM', 'OK'],
])('%s', (points, whereBreaching, whereNotBreaching) => {
  test.each([
    ['breaching', whereBreaching],
    ['notBreaching', whereNotBreaching],
  ])('missing data as %s: %s', (TreatMissingData, state) => {
    const values = [...points].map(point => (point === '-' ? undefined : Number(point === 'X')))
    const alarm = { Threshold: 1, ComparisonOperator: 'GreaterThanOrEqualToThreshold', EvaluationPeriods: 3 }
    expect(stateAfter(values, { ...alarm, TreatMissingData })).toBe(state)
  })
})

test.each([
  ['1 + 2 * 3', {}, 7],
  ['IF(a > 0.02 * FILL(b, 0), a, 0)', { a: 3, b: 200 }, 0],
  ['IF(a > 0.02 * FILL(b, 0), a, 0)', { a: 5, b: 200 }, 5],
  ['IF(a > 0.02 * FILL(b, 0), a, 0)', { a: 5, b: undefined }, 5],
  ['IF(a > 0.02 * b, a, 0)', { a: 5, b: undefined }, undefined],
  ['IF(a >= 10 OR b < 2 * a, a, 0)', { a: 4, b: 9 }, 0],
  ['IF(a >= 10 OR b < 2 * a, a, 0)', { a: 10, b: 99 }, 10],
  ['MAX(METRICS())', { a: 4, b: undefined, c: 7 }, 7],
])('metric math: %s of %o is %s', (expression, values, result) => {
  expect(evaluate(expression, values)).toBe(result)
})
