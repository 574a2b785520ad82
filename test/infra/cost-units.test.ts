/** What a poll, a mail in, a mail out, a refresh and an empty minute use of AWS: counted, and as infra/cost/units.ts says. */

import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, test } from 'vitest'
import { mergeProviders } from '../../functions/channel/provider.ts'
import { keyNames } from '../../functions/channel/table-names.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { notify } from '../../functions/notify/notify.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { drain } from '../../functions/send/drain.ts'
import { thoughtAbout } from '../../infra/cost/durations.ts'
import { counted, inTemplate, leftBehind, metricsOf, type Used } from '../../infra/cost/units.ts'
import { apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { startTurnProxy } from '../support/turn-proxy.ts'
import { openCounter } from '../support/usage-counter.ts'
import { openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'
import { buildApp } from './synthesized.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const letter = 'The order has not come yet. '.repeat(75)
const dayMs = 24 * 3600_000

/** A channel at the sandbox's Microsoft, which is reached through proxies that count. */
async function startChannel() {
  const { microsoft } = mailboxes.providers
  if (!microsoft) throw new Error('The sandbox has no Microsoft')
  const proxies = [await startTurnProxy(microsoft.imap), await startTurnProxy(microsoft.smtp)]
  const [imap, smtp] = proxies.map(({ port }) => port)
  const providers = mergeProviders({
    microsoft: {
      ...microsoft,
      imap: { ...microsoft.imap, port: imap ?? 0 },
      smtp: { ...microsoft.smtp, port: smtp ?? 0 },
    },
  })
  const bench = openWorkbench(await engines.fresh(), { providers, apps: mailboxes.apps })
  const channel = await mailboxes.connect(bench, 'ada')
  const app = apiCaller(bench)
  const poll = () =>
    answerRecord(JSON.stringify({ channelIds: [channel.id], intervals: [1] }), {
      services: bench,
      deadlineMs: bench.now() + 60_000,
    })
  const accept = () => app.send(channel, { text: letter })
  const send = () => drain(channel.id, { services: bench, deadlineMs: bench.now() + 300_000 })
  // The first of all reads what later ones know.
  await poll()
  await accept()
  await send()
  const token = await bench.tokens.accessToken(channel)
  const usageOf = await openCounter(bench, proxies)
  return { bench, channel, poll, accept, send, usageOf, saidTokenBytes: Math.ceil((token.length * 4) / 3) }
}

/** Bytes change a little with every run: they are held to a tenth. */
function expectUsed(used: Used, said: Used): void {
  const { bytesOut, ...exact } = used
  const { bytesOut: saidOut, ...rest } = said
  expect(exact).toEqual(rest)
  expectWithinTenth({ bytesOut }, { bytesOut: saidOut })
}

function difference(one: Used, other: Used): Used {
  const minus = <T extends object>(from: T, what: T): T =>
    Object.fromEntries(
      Object.entries(from).map(([name, value]) => {
        const less = (what as Record<string, typeof value>)[name]
        return [name, typeof value === 'number' ? value - less : minus(value, less)]
      }),
    ) as T
  return minus(one, other)
}

const without = (used: Used, bytes: number): Used => ({ ...used, bytesOut: used.bytesOut - bytes })

test('an idle poll, and on top of it the time it leaves, or a mail that has come', async () => {
  const { bench, channel, poll, usageOf, saidTokenBytes } = await startChannel()
  const idle = await usageOf(poll)
  expectUsed(without(idle, saidTokenBytes), counted.idlePoll)
  const threeHoursAgo = new Date(bench.now() - 3 * 3600_000).toISOString()
  await bench.channels.change(channel.id, { lastFetchedAt: threeHoursAgo })
  expectUsed(difference(await usageOf(poll), idle), counted.readTime)
  await mailboxes.deliver('ada', { subject: 'Order', text: letter })
  expectUsed(difference(await usageOf(poll), idle), counted.receivedMail)
})

test('a message: accepted, and sent', async () => {
  const { accept, send, usageOf, saidTokenBytes } = await startChannel()
  expectUsed(await usageOf(accept), counted.acceptedMail)
  expectUsed(without(await usageOf(send), saidTokenBytes + letter.length), counted.sentMail)
})

test('a refresh of the access token, on top of what it is needed for', async () => {
  const { bench, accept, drain: send, endpoint } = await startSendingChannel(engines)
  // Data keys are of a day, and the hours below must not end one: after 22:00 they did.
  bench.clock.advance(dayMs - (bench.now() % dayMs))
  await accept('first')
  await send()
  const usageOf = await openCounter(bench)
  const sendOne = async () => {
    await accept('Order', { text: letter })
    await send()
  }
  const usual = await usageOf(sendOne)
  const before = endpoint.requests.length
  bench.clock.advance(2 * 3600_000)
  const { rounds, kmsCalls, ...more } = difference(await usageOf(sendOne), usual)
  expect(endpoint.requests.length - before).toBe(1)
  // The data key has left the cache in these hours: one call for all mailboxes of an environment, not for each.
  expectUsed({ ...more, kmsCalls: kmsCalls - 1, rounds: { ...rounds, kms: rounds.kms - 1 } }, counted.refresh)
})

test('an event that no webhook wants, and a minute in which nothing is due', async () => {
  const { bench, accept, drain: send } = await startSendingChannel(engines)
  const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
  // From the beginning of a minute, so that the next call falls into the next one, however long this takes.
  bench.clock.advance(60_000 - (bench.clock.now() % 60_000))
  await schedule(services)
  const usageOf = await openCounter(bench)
  bench.clock.advance(60_000)
  expectUsed(await usageOf(() => schedule(services)), counted.minute)

  await accept('Order')
  await send()
  const told = bench.stores.calls.findLast(({ command }) => command === 'PublishCommand')
  const record = { messageId: '1', body: String(Reflect.get(told?.input ?? {}, 'Message')) }
  const work = () => notify([record], { services: bench, deadlineMs: bench.now() + 60_000 })
  expectUsed(await usageOf(work), counted.event)
})

test('of the round trips, those a provider thinks about are the ones behind the introductions', () => {
  // TCP, TLS, greeting; with STARTTLS the greeting comes first, and EHLO, STARTTLS and EHLO again besides.
  const introductions = { idlePoll: 3, receivedMail: 0, sentMail: 6 }
  for (const work of ['idlePoll', 'receivedMail', 'sentMail'] as const) {
    const { signIns, looks, handOvers } = thoughtAbout[work] ?? { signIns: 0, looks: 0, handOvers: 0 }
    expect(introductions[work] + signIns + looks + handOvers).toBe(counted[work].roundTrips)
  }
})

test('each thing sends the metrics that are said to be sent, and so keep costing', async () => {
  const { bench, poll, accept, send } = await startChannel()
  const sentBy = async (work: () => Promise<unknown>) => {
    for (const name of Object.keys(bench.metrics.added)) Reflect.deleteProperty(bench.metrics.added, name)
    await work()
    return Object.keys(bench.metrics.added).sort()
  }
  const { idlePoll, receivedMail, sentMail, minute } = metricsOf
  expect(await sentBy(poll)).toEqual(idlePoll)
  await mailboxes.deliver('ada', { subject: 'Order', text: letter })
  expect(await sentBy(poll)).toEqual([...idlePoll, ...receivedMail].sort())
  await accept()
  expect(await sentBy(send)).toEqual(sentMail)
  const services = { ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) }
  expect(await sentBy(() => schedule(services))).toEqual(minute)
})

test('a mail leaves as much in tables and bucket as is said, within a tenth', async () => {
  const { bench, poll, accept, send } = await startChannel()
  const growthIn = async (work: () => Promise<unknown>) => {
    const before = await storedBytes(bench)
    await work()
    const after = await storedBytes(bench)
    return {
      tableBytes: after.tableBytes - before.tableBytes,
      bucketBytes: after.bucketBytes - before.bucketBytes,
    }
  }
  await mailboxes.deliver('ada', { subject: 'Order', text: letter })
  expectWithinTenth(await growthIn(poll), leftBehind.receivedMail)
  const sent = async () => {
    await accept()
    await send()
  }
  expectWithinTenth(await growthIn(sent), leftBehind.sentMail)
})

function expectWithinTenth(found: Record<string, number>, said: Record<string, number>): void {
  for (const [name, atMost] of Object.entries(said)) {
    expect(found[name], name).toBeLessThanOrEqual(atMost)
    expect(found[name], name).toBeGreaterThanOrEqual(atMost * 0.9)
  }
}

/**
 * Items as JSON, which is a little longer than what DynamoDB counts, and 100 bytes more for each of them and of their places
 * in the indexes, as it does, with both keys once more.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Storage.html
 */
async function storedBytes(bench: Workbench): Promise<{ tableBytes: number; bucketBytes: number }> {
  const overheadBytes = 100
  const items = await storedItems(bench)
  const bytesOf = (item: Record<string, unknown>) => {
    const indexed = [
      [keyNames.listingPartition, keyNames.listingSort],
      [keyNames.duePartition, keyNames.dueSort],
    ].flatMap(names => {
      const [pk, sk] = names.map(name => item[name])
      return pk === undefined ? [] : [`${pk}${sk}${item.pk}${item.sk}`.length + overheadBytes]
    })
    return indexed.reduce((sum, bytes) => sum + bytes, JSON.stringify(item).length + overheadBytes)
  }
  const { Contents = [] } = await bench.stores.s3.send(
    new ListObjectsV2Command({ Bucket: bench.stores.bucket }),
  )
  return {
    tableBytes: items.reduce((sum, item) => sum + bytesOf(item), 0),
    // The raw mail is as long as it is.
    bucketBytes: Contents.filter(({ Key }) => !Key?.endsWith('/raw.eml')).reduce(
      (sum, { Size = 0 }) => sum + Size,
      0,
    ),
  }
}

test('what is paid by the month is in the template as often as is said', () => {
  const { system, data } = buildApp()
  const count = (type: string) =>
    [system, data].flatMap(stack => Object.keys(Template.fromStack(stack).findResources(type))).length
  const alarms = Object.values(Template.fromStack(system).findResources('AWS::CloudWatch::Alarm'))
  const alarmMetrics = alarms.flatMap(
    ({ Properties }) =>
      Properties.Metrics?.filter(({ MetricStat }: { MetricStat?: object }) => MetricStat) ?? [Properties],
  ).length
  const mappings = Object.values(Template.fromStack(system).findResources('AWS::Lambda::EventSourceMapping'))
  const limited = mappings.filter(({ Properties }) => Properties.ScalingConfig?.MaximumConcurrency)
  const logs = Object.values(Template.fromStack(system).findResources('AWS::Logs::LogGroup'))
  const logDays = [...new Set(logs.map(({ Properties }) => Properties.RetentionInDays))]
  const keys = Object.values(Template.fromStack(data).findResources('AWS::KMS::Key'))
  expect({
    alarmMetrics,
    dashboards: count('AWS::CloudWatch::Dashboard'),
    kmsKeys: count('AWS::KMS::Key'),
    rotatedKeys: keys.filter(({ Properties }) => Properties.EnableKeyRotation).length,
    secrets: count('AWS::SecretsManager::Secret'),
    queuesRead: mappings.length - limited.length,
    limitedQueuesRead: limited.length,
    logDays: logDays.length === 1 ? logDays[0] : logDays,
  }).toEqual(inTemplate)
})

test('the dashboard is one of the three that are free: it shows no more than 50 metrics', () => {
  const [dashboard] = Object.values(
    Template.fromStack(buildApp().system).findResources('AWS::CloudWatch::Dashboard'),
  )
  const parts: unknown[] = dashboard?.Properties.DashboardBody['Fn::Join'][1]
  const body = JSON.parse(parts.map(part => (typeof part === 'string' ? part : 'x')).join(''))
  const shown = body.widgets.flatMap(
    ({ properties }: { properties: { metrics: unknown[] } }) => properties.metrics,
  )
  expect(shown.length).toBeGreaterThan(20)
  expect(shown.length).toBeLessThanOrEqual(50)
})
