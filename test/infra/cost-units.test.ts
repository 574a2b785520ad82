/** What a poll, a mail in, a mail out, a refresh and an empty minute use of AWS: counted, and as infra/cost/units.ts says. */

import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { counted, inTemplate } from '../../infra/cost/units.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { openMeter } from '../support/usage-meter.ts'
import { openWorkbench } from '../support/workbench.ts'
import { buildApp } from './synthesized.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const letter = 'The order has not come yet. '.repeat(75)

async function pollingChannel() {
  const { providers, apps } = mailboxes
  const bench = openWorkbench(await engines.fresh(), { providers, apps })
  const ada = await mailboxes.connect(bench, 'ada')
  const poll = () =>
    answerRecord(JSON.stringify({ channelIds: [ada.id], intervals: [1] }), {
      services: bench,
      deadlineMs: bench.now() + 60_000,
    })
  await poll()
  const usageOf = await openMeter(bench)
  return { ada, bench, poll, usageOf }
}

test('an idle poll, and on top of it a mail that has come', async () => {
  const { ada, bench, poll, usageOf } = await pollingChannel()
  const idle = await usageOf(poll)
  expect(idle).toEqual(counted.idlePoll)
  const threeHoursAgo = new Date(bench.now() - 3 * 3600_000).toISOString()
  await bench.channels.change(ada.id, { lastFetchedAt: threeHoursAgo })
  const marked = await usageOf(poll)
  expect({ ...marked, reads: marked.reads - idle.reads }).toEqual(counted.readTime)
  await mailboxes.deliver('ada', { subject: 'Order', text: letter })
  const busy = await usageOf(poll)
  expect({ ...busy, reads: busy.reads - idle.reads }).toEqual(counted.receivedMail)
})

test('a message, from its acceptance to its end, and on top of it a refresh of the access token', async () => {
  const sending = await startSendingChannel(engines)
  // Data keys are of a day, and the hours below must not end one: after 22:00 they did.
  const dayMs = 24 * 3600_000
  sending.bench.clock.advance(dayMs - (sending.bench.now() % dayMs))
  await sending.accept('first')
  await sending.drain()
  const usageOf = await openMeter(sending.bench)
  const sendOne = async () => {
    await sending.accept('Order', { text: letter })
    await sending.drain()
  }
  const sent = await usageOf(sendOne)
  expect(sent).toEqual(counted.sentMail)
  sending.bench.clock.advance(2 * 3600_000)
  const refreshing = await usageOf(sendOne)
  expect(sending.endpoint.requests.length).toBeGreaterThan(0)
  const extra = Object.entries(refreshing).map(([name, value]) => [
    name,
    value - sent[name as keyof typeof sent],
  ])
  // The data key has left the cache in these hours: one call for all mailboxes of an environment, not for each.
  expect(Object.fromEntries(extra)).toEqual({ ...counted.refresh, kmsCalls: 1 })
})

test('a minute in which nothing is due', async () => {
  const { bench } = await startSendingChannel(engines)
  const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
  // From the beginning of a minute, so that the next call falls into the next one, however long this takes.
  bench.clock.advance(60_000 - (bench.clock.now() % 60_000))
  await schedule(services)
  const usageOf = await openMeter(bench)
  bench.clock.advance(60_000)
  expect(await usageOf(() => schedule(services))).toEqual(counted.minute)
})

test('what is paid by the month is in the template as often as is said', () => {
  const { system, data } = buildApp()
  const count = (type: string) =>
    [system, data].flatMap(stack => Object.keys(Template.fromStack(stack).findResources(type))).length
  const alarms = Object.values(Template.fromStack(system).findResources('AWS::CloudWatch::Alarm'))
  const alarmMetrics = alarms.flatMap(
    ({ Properties }) =>
      Properties.Metrics?.filter(({ MetricStat }: { MetricStat?: object }) => MetricStat) ?? [Properties],
  ).length
  expect({
    alarmMetrics,
    dashboards: count('AWS::CloudWatch::Dashboard'),
    kmsKeys: count('AWS::KMS::Key'),
    secrets: count('AWS::SecretsManager::Secret'),
    queuesRead: count('AWS::Lambda::EventSourceMapping'),
  }).toEqual(inTemplate)
})
