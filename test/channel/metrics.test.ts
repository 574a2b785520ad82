/** What is counted, and the lines it is written in: CloudWatch takes them as they are, or not at all. */

import { Template } from 'aws-cdk-lib/assertions'
import type { SQSRecord } from 'aws-lambda'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type MetricName,
  metricNamespace,
  metricUnits,
  openMetrics,
} from '../../functions/channel/metrics.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { drain } from '../../functions/send/drain.ts'
import { send } from '../../functions/send/send.ts'
import { buildApp } from '../infra/synthesized.ts'
import { useEngines } from '../support/engines.ts'
import { playSentFolder } from '../support/played-sent-folder.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { revoked } from '../support/token-endpoint.ts'
import { addChannel, openWorkbench, type Workbench } from '../support/workbench.ts'

describe('the lines', () => {
  let written: string[] = []
  beforeEach(() => {
    written = []
    vi.spyOn(process.stdout, 'write').mockImplementation(text => {
      written.push(String(text))
      return true
    })
  })
  afterEach(() => void vi.restoreAllMocks())

  test('an invocation writes one line, with the deployment as the only dimension', () => {
    const metrics = openMetrics({ system: 'HelpDeskMail' })
    metrics.add('MessagesSent')
    metrics.add('MessagesSent')
    metrics.add('SecondsToSent', 1.5)
    metrics.add('SecondsToSent', 3)
    metrics.write()
    expect(written).toHaveLength(1)
    expect(written[0]?.endsWith('\n')).toBe(true)
    const line = JSON.parse(written[0] ?? '')
    expect(line._aws.CloudWatchMetrics).toEqual([
      {
        Namespace: 'Postroom',
        Dimensions: [['service']],
        Metrics: [
          { Name: 'MessagesSent', Unit: 'Count' },
          { Name: 'SecondsToSent', Unit: 'Seconds' },
        ],
      },
    ])
    expect(line).toMatchObject({ service: 'HelpDeskMail', MessagesSent: [1, 1], SecondsToSent: [1.5, 3] })
    expect(Math.abs(line._aws.Timestamp - Date.now())).toBeLessThan(60_000)
  })

  test('where nothing was added nothing is written, also after a line', () => {
    const metrics = openMetrics({ system: 'Postroom' })
    metrics.write()
    metrics.add('PollsDone')
    metrics.write()
    metrics.write()
    expect(written).toHaveLength(1)
  })

  test('however many values: CloudWatch takes 100 of a metric in one line', () => {
    const metrics = openMetrics({ system: 'Postroom' })
    for (let i = 0; i < 250; i++) metrics.add('ArrivalLagSeconds', i)
    metrics.write()
    const values = written.flatMap(line => JSON.parse(line).ArrivalLagSeconds)
    expect(values).toHaveLength(250)
    for (const line of written)
      expect([JSON.parse(line).ArrivalLagSeconds].flat().length).toBeLessThanOrEqual(100)
  })

  test('every name is written with its unit', () => {
    const metrics = openMetrics({ system: 'Postroom' })
    for (const name of Object.keys(metricUnits)) metrics.add(name as MetricName)
    metrics.write()
    const { Metrics } = JSON.parse(written[0] ?? '')._aws.CloudWatchMetrics[0]
    expect(Object.fromEntries(Metrics.map(({ Name, Unit }: Record<string, string>) => [Name, Unit]))).toEqual(
      metricUnits,
    )
  })
})

interface MetricProperties {
  Namespace?: string
  MetricName?: string
}
const ofExpression = ({ MetricStat }: { MetricStat?: { Metric: MetricProperties } }) =>
  MetricStat?.Metric ?? {}

/** The clock goes on by itself while a busy machine works. */
const wholeMinutes = (seconds: number) => Math.floor(seconds / 60)

describe('what is counted', () => {
  const engines = useEngines()
  const mailboxes = useSandbox()
  const seen = new Set<string>()
  /** What the bench has counted so far, which the last test holds against what is looked at. */
  function counted({ metrics }: Pick<Workbench, 'metrics'>) {
    for (const name of Object.keys(metrics.added)) seen.add(name)
    return metrics.added
  }

  test('a sent message, and how long after its time it left', async () => {
    const sending = await startSendingChannel(engines)
    await sending.accept('now')
    await sending.accept('later', { sendAt: new Date(sending.bench.now() + 60_000).toISOString() })
    sending.bench.clock.advance(62_000)
    await sending.drain()
    const { MessagesSent, SecondsToSent } = counted(sending.bench)
    expect(MessagesSent).toEqual([1, 1])
    expect(SecondsToSent?.map(wholeMinutes)).toEqual([1, 0])
  })

  test('an uncertain and a failed one each under its own name', async () => {
    const sending = await startSendingChannel(engines)
    sending.smtp.script.body = ['drop', '550 5.7.1 Refused']
    await sending.accept('uncertain')
    await sending.drain()
    sending.bench.clock.advance(60_000)
    await sending.accept('failed')
    await sending.drain()
    const added = counted(sending.bench)
    expect(added).toMatchObject({ MessagesFailed: [1] })
    // It is still looked for in Sent.
    expect(added.MessagesUncertain).toBeUndefined()
    const services = { ...sending.bench, openSent: playSentFolder().open }
    for (let look = 0; look < 3; look++) {
      sending.bench.clock.advance(10 * 60_000)
      await drain(sending.channel.id, { services, deadlineMs: sending.bench.now() + invocationMs })
    }
    expect(counted(sending.bench)).toMatchObject({ MessagesUncertain: [1] })
    expect(added.MessagesSent).toBeUndefined()
  })

  test('a doorbell that fails for our own reasons counts as such', async () => {
    const { bench, channel, accept } = await startSendingChannel(engines)
    await accept('Hello')
    bench.stores.failWhen(({ service }) => service === 's3')
    const body = JSON.stringify({ channelId: channel.id })
    const record = { messageId: 'm1', body, messageAttributes: {} } as unknown as Parameters<
      typeof send
    >[0][0]
    const services = { ...bench, bury: async () => {} }
    await send([record], { services, deadlineMs: bench.now() + invocationMs })
    expect(counted(bench)).toEqual({ InternalFaults: [1] })
  })

  test('polls that were done and that failed, mail, and the time from its arrival', async () => {
    const { clock, providers, apps } = mailboxes
    const bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
    clock.advance(2_000)
    const ada = await mailboxes.connect(bench, 'ada')
    const broken = await addChannel(bench, { provider: 'unknown' })
    await mailboxes.deliver('ada', { subject: 'to ada' })
    clock.advance(90_000)
    await answerRecord(JSON.stringify({ channelIds: [ada.id, broken.id] }), {
      services: bench,
      deadlineMs: bench.now() + 60_000,
    })
    const added = counted(bench)
    expect(added).toMatchObject({ PollsDone: [1], PollsFailed: [1], MailsReceived: [1] })
    expect(added.ArrivalLagSeconds?.map(wholeMinutes)).toEqual([1])
  })

  test('how long the oldest message is overdue, every minute, and zero while none is', async () => {
    const sending = await startSendingChannel(engines)
    const { bench } = sending
    const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
    await schedule(services)
    await sending.accept('first')
    bench.clock.advance(300_000)
    await sending.accept('second')
    bench.clock.advance(10_000)
    await schedule(services)
    expect(counted(bench).OldestDueSeconds?.map(wholeMinutes)).toEqual([0, 5])
  })

  test('channels whose mail is overdue by a quarter of an hour, every minute', async () => {
    const { bench, accept } = await startSendingChannel(engines)
    const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
    await accept('first')
    await accept('second')
    await schedule(services)
    bench.clock.advance(16 * 60_000)
    await schedule(services)
    expect(counted(bench).ChannelsOverdue).toEqual([0, 1])
  })

  test('an OAuth app that is refused as a whole, every minute until it is taken again', async () => {
    const { bench, endpoint, accept, drain } = await startSendingChannel(engines)
    const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
    bench.clock.advance(61 * 60_000)
    endpoint.always = { status: 401, body: { error: 'invalid_client', error_codes: [7000222] } }
    await accept('1')
    await drain()
    const standing = async () => {
      bench.metrics.added.AppFaults = []
      await schedule(services)
      return bench.metrics.added.AppFaults
    }
    expect(await standing()).toEqual([1])
    endpoint.always = undefined
    bench.clock.advance(10 * 60_000)
    await drain()
    expect(await standing()).toEqual([0])
  })

  test('a mailbox whose owner is asked to reconnect, and each message that waits for them', async () => {
    const sending = await startSendingChannel(engines)
    sending.bench.clock.advance(61 * 60_000)
    sending.endpoint.script.push(revoked)
    await sending.accept('1')
    await sending.accept('2')
    await sending.drain()
    expect(counted(sending.bench)).toEqual({ PromptsRaised: [1], MessagesParked: [1, 1] })
  })

  test('a refused OAuth app, once for each that is told: the account and the operator', async () => {
    const sending = await startSendingChannel(engines)
    sending.bench.clock.advance(61 * 60_000)
    sending.endpoint.always = { status: 401, body: { error: 'invalid_client', error_codes: [7000222] } }
    await sending.accept('1')
    await sending.drain()
    await sending.drain()
    expect(counted(sending.bench)).toEqual({ AppFaults: [1, 1] })
  })

  test('a document from the queue that is no mail', async () => {
    const { bench } = await startSendingChannel(engines)
    const record = { messageId: 'm1', body: '{}', messageAttributes: {} } as unknown as SQSRecord
    await send([record], {
      services: { ...bench, bury: async () => {} },
      deadlineMs: bench.now() + invocationMs,
    })
    expect(counted(bench)).toEqual({ MessagesRejected: [1] })
  })

  test('each metric of ours that an alarm or the dashboard looks at was counted in a test above', () => {
    const template = Template.fromStack(buildApp().system)
    const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(
      ({ Properties }) => Properties,
    )
    const ofAlarms = alarms
      .flatMap(({ Metrics = [], ...alarm }) => [alarm, ...Metrics.map(ofExpression)])
      .flatMap(({ Namespace, MetricName }) => (Namespace === metricNamespace ? [MetricName] : []))
    const dashboards = JSON.stringify(template.findResources('AWS::CloudWatch::Dashboard'))
    // Within JSON within JSON: ["Postroom","MessagesSent","service","Postroom",{…}]
    const named = new RegExp(String.raw`\[\\+"${metricNamespace}\\+",\\+"(\w+)`, 'g')
    const ofDashboard = [...dashboards.matchAll(named)].map(([, name]) => name)
    expect(ofAlarms.length).toBeGreaterThan(10)
    expect(ofDashboard.length).toBeGreaterThan(10)
    expect([...ofAlarms, ...ofDashboard].filter(name => !seen.has(name))).toEqual([])
  })
})
