/** Alarms, runbook, dashboard and budget: each alarm says what is lost and what to do, and looks at what is written. */

import { readFile } from 'node:fs/promises'
import { Template } from 'aws-cdk-lib/assertions'
import { describe, expect, test } from 'vitest'
import { metricUnits } from '../../functions/channel/metrics.ts'
import { readConfiguration } from '../../infra/configuration.ts'
import type { ConfigurationInput } from '../../infra/configuration-schema.ts'
import { buildApp } from './synthesized.ts'

const templateWith = (operations: ConfigurationInput['operations']) =>
  Template.fromStack(buildApp({ configuration: { operations } }).system)

interface MetricProperties {
  Namespace: string
  MetricName: string
  Dimensions?: { Name: string; Value: unknown }[]
}

interface AlarmProperties extends MetricProperties {
  AlarmName: string
  AlarmDescription: string
  Metrics?: { MetricStat?: { Metric: MetricProperties } }[]
  TreatMissingData: string
  ComparisonOperator: string
  AlarmActions: unknown[]
}

function alarmsOf(template: Template): AlarmProperties[] {
  return Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)
}

const template = templateWith({ email: 'ops@example.com', monthlyBudgetUsd: 50 })
const alarms = alarmsOf(template)
const runbook = await readFile(new URL('../../infra/runbook.md', import.meta.url), 'utf8')
const entries = [...runbook.matchAll(/^### (.+)$/gm)].map(([, heading]) => heading)

describe('alarms', () => {
  test('every alarm has one entry in the runbook, and every entry its alarm', () => {
    const names = alarms.map(({ AlarmName }) => AlarmName.replace('Postroom-', ''))
    expect([...entries].sort()).toEqual(names.sort())
  })

  test('each says in a sentence what is lost, and links to its entry', () => {
    for (const { AlarmName, AlarmDescription } of alarms) {
      const anchor = AlarmName.replace('Postroom-', '').toLowerCase()
      expect(AlarmDescription).toMatch(/^[A-Z][^.]{30,}\. /)
      expect(AlarmDescription.endsWith(`Runbook: infra/runbook.md#${anchor}`)).toBe(true)
    }
  })

  test('no entry of the runbook is empty', () => {
    for (const entry of runbook.split(/^### .+$/m).slice(1)) expect(entry.trim().length).toBeGreaterThan(20)
  })

  test('each metric of our own is one that the functions write, under the name of the deployment', () => {
    const own = alarms
      .flatMap(alarm => alarm.Metrics?.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []) ?? alarm)
      .filter(({ Namespace }) => Namespace === 'Postroom')
    expect(own.length).toBeGreaterThan(10)
    for (const { MetricName, Dimensions } of own) {
      expect(Object.keys(metricUnits)).toContain(MetricName)
      expect(Dimensions).toEqual([{ Name: 'service', Value: 'Postroom' }])
    }
    for (const { Properties } of Object.values(template.findResources('AWS::Lambda::Function'))) {
      const { SYSTEM_NAME } = Properties.Environment.Variables
      if (SYSTEM_NAME) expect(SYSTEM_NAME).toBe('Postroom')
    }
  })

  test('a schedule that says nothing is in alarm; everywhere else silence is quiet', () => {
    const loud = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching')
    expect(loud).toMatchObject([
      { AlarmName: 'Postroom-ScheduleSilent', ComparisonOperator: 'LessThanThreshold' },
    ])
  })

  test('every queue of dead letters has an alarm', () => {
    const watched = alarms
      .filter(({ MetricName }) => MetricName === 'ApproximateNumberOfMessagesVisible')
      .map(({ Dimensions }) => JSON.stringify(Dimensions?.[0]?.Value))
    const queues = Object.keys(template.findResources('AWS::SQS::Queue')).filter(id =>
      id.includes('DeadLetters'),
    )
    expect(queues).toHaveLength(3)
    for (const id of queues) expect(watched.filter(value => value.includes(id))).toHaveLength(1)
  })

  test('CloudWatch of this account may publish to the topic, and a person is told', () => {
    template.hasResourceProperties('AWS::SNS::Subscription', {
      Protocol: 'email',
      Endpoint: 'ops@example.com',
    })
    const policies = JSON.stringify(template.findResources('AWS::SNS::TopicPolicy'))
    expect(policies).toContain('cloudwatch.amazonaws.com')
    for (const { AlarmActions } of alarms) expect(AlarmActions).toHaveLength(1)
  })

  test('they stay a small set: each costs $0.10 a month', () => {
    expect(alarms.length).toBeLessThanOrEqual(20)
  })
})

test('without alarms, dashboard, tracing and budget the stack has nothing of them', () => {
  const bare = templateWith({ alarms: false, dashboard: false })
  for (const type of ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard', 'AWS::Budgets::Budget'])
    bare.resourceCountIs(type, 0)
  expect(JSON.stringify(bare.toJSON())).not.toContain('xray')
})

test('tracing is bought by saying so', () => {
  const traced = templateWith({ tracing: true })
  const functions = Object.values(traced.findResources('AWS::Lambda::Function'))
  expect(functions.length).toBeGreaterThan(5)
  for (const { Properties } of functions) expect(Properties.TracingConfig).toEqual({ Mode: 'Active' })
  const policies = Object.values(traced.findResources('AWS::IAM::Policy')).filter(policy =>
    JSON.stringify(policy).includes('xray:PutTraceSegments'),
  )
  expect(policies).toHaveLength(functions.length)
})

test('the budget tells its owner at 80 and 100 percent, and of what is to come', () => {
  template.hasResourceProperties('AWS::Budgets::Budget', {
    Budget: { BudgetLimit: { Amount: 50, Unit: 'USD' }, BudgetType: 'COST', TimeUnit: 'MONTHLY' },
    NotificationsWithSubscribers: [
      { Notification: { NotificationType: 'ACTUAL', Threshold: 80 } },
      { Notification: { NotificationType: 'ACTUAL', Threshold: 100 } },
      { Notification: { NotificationType: 'FORECASTED', Threshold: 100 } },
    ],
  })
  expect(() => readConfiguration({ operations: { monthlyBudgetUsd: 50 } })).toThrow(
    'operations.email must be set where there is a budget',
  )
})

test('the dashboard draws every metric that the functions write', () => {
  const body = JSON.stringify(template.findResources('AWS::CloudWatch::Dashboard'))
  for (const name of Object.keys(metricUnits)) expect(body).toContain(name)
})
