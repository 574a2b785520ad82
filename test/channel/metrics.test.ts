/** What is counted, and the lines it is written in: CloudWatch takes them as they are, or not at all. */

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type MetricName, metricUnits, openMetrics } from '../../functions/channel/metrics.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { addChannel, openWorkbench } from '../support/workbench.ts'

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

/** The clock goes on by itself while a busy machine works. */
const wholeMinutes = (seconds: number) => Math.floor(seconds / 60)

describe('what is counted', () => {
  const engines = useEngines()
  const mailboxes = useSandbox()

  test('a sent message, and how long after its time it left', async () => {
    const sending = await startSendingChannel(engines)
    await sending.accept('now')
    await sending.accept('later', { sendAt: new Date(sending.bench.now() + 60_000).toISOString() })
    sending.bench.clock.advance(62_000)
    await sending.drain()
    const { MessagesSent, SecondsToSent } = sending.bench.metrics.added
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
    const { added } = sending.bench.metrics
    expect(added).toMatchObject({ MessagesUncertain: [1], MessagesFailed: [1] })
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
    expect(bench.metrics.added).toEqual({ InternalFaults: [1] })
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
    const { added } = bench.metrics
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
    expect(bench.metrics.added.OldestDueSeconds?.map(wholeMinutes)).toEqual([0, 5])
  })
})
