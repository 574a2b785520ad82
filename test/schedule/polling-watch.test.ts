/** Polling that stands still is told: to the operator once, and to the app of each mailbox that is not read. */

import { beforeEach, expect, test } from 'vitest'
import { type Channel, presentChannel } from '../../functions/channel/channels.ts'
import { openPollMarks } from '../../functions/channel/poll-marks.ts'
import type { Slot } from '../../functions/channel/slots.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { watchPolling } from '../../functions/schedule/polling-watch.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, eventTypes, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

let bench: Workbench
let channel: Channel
/** Who is polled how often. */
let slots: Slot[]

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  slots = []
  channel = await addInSlot(5)
})

async function addInSlot(intervalMinutes: number, given: Partial<Channel> = {}): Promise<Channel> {
  const added = await addChannel(bench, given)
  slots.push({ channelId: added.id, provider: added.provider, intervalMinutes })
  return added
}

/** `schedule` looks every minute. @param polls whether somebody takes the batches */
async function run(minutes: number, polls: boolean): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    const due = slots.filter(({ intervalMinutes }) => minute % intervalMinutes === 0)
    await watchPolling({ slots: due, isBack: false }, bench)
    if (polls) await fetched('microsoft')
    bench.clock.advance(minuteMs)
  }
}

/** A new process each time. */
const fetched = (provider: string) => openPollMarks(bench).polled(provider)

test('while batches are taken, nobody is told of anything, and a mark is written once in five minutes', async () => {
  await run(90, true)
  expect([await eventTypes(bench), await eventTypes(bench, '-')]).toEqual([[], []])
  const before = bench.stores.calls.length
  for (let batch = 0; batch < 100; batch++) await bench.pollMarks.polled('microsoft')
  expect(bench.stores.calls.slice(before).map(({ command }) => command)).toEqual([
    'GetItemCommand',
    'UpdateItemCommand',
  ])
})

test('when nobody takes batches, the operator and each mailbox’s app are told once; all is told well when they go on', async () => {
  await run(10, true)
  await run(34, false)
  expect(await eventTypes(bench, '-')).toEqual([])
  await run(40, false)
  const [stalled, ...more] = await eventsOf(bench, '-')
  expect(more).toEqual([])
  expect(stalled).toMatchObject({ type: 'polling.stalled', data: { provider: 'microsoft' } })
  const [overdue, ...others] = await eventsOf(bench)
  expect(others).toEqual([])
  expect(overdue).toMatchObject({
    type: 'channel.overdue',
    channelId: channel.id,
    data: { reason: 'polling_stalled', actor: 'operator' },
  })
  expect(presentChannel(await bench.channels.get(channel.id)).isOverdue).toBe(true)

  await run(60, false)
  await fetched('microsoft')
  await bench.health.succeeded(await bench.channels.get(channel.id), 'imap')
  expect(await eventTypes(bench, '-')).toEqual(['polling.stalled', 'polling.resumed'])
  expect(await eventTypes(bench)).toEqual(['channel.overdue', 'channel.recovered'])
  expect(presentChannel(await bench.channels.get(channel.id)).isOverdue).toBe(false)
})

test('a queue that takes no batches is told of as well, though its minutes pile up', async () => {
  await bench.slots.put({ channelId: channel.id, provider: 'microsoft', intervalMinutes: 5 })
  bench.queues.poll = async () => {
    throw new Error('SQS is down in this test')
  }
  const fire = () => schedule({ ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench) })
  await openMinutes(bench).done([Math.floor(bench.now() / minuteMs) - 6])
  for (let firing = 0; firing < 2; firing++) {
    await expect(fire()).rejects.toThrow('SQS is down')
    bench.clock.advance(40 * minuteMs)
  }
  expect(await eventTypes(bench, '-')).toEqual(['polling.stalled'])
})

test('a mailbox of an hour’s interval is not missed before its hour is over', async () => {
  slots = slots.map(slot => ({ ...slot, intervalMinutes: 60 }))
  await run(2, true)
  await run(85, false)
  expect(await eventTypes(bench, '-')).toEqual([])
  await run(70, false)
  expect(await eventTypes(bench, '-')).toEqual(['polling.stalled'])
})

test('after a night in which nothing ran at all, polls get their time; the gap is told when they go on', async () => {
  await run(10, true)
  bench.clock.advance(10 * 60 * minuteMs)
  await watchPolling({ slots, isBack: true }, bench)
  await run(20, false)
  expect(await eventTypes(bench, '-')).toEqual([])
  await run(5, true)
  expect(await eventTypes(bench, '-')).toEqual(['polling.resumed'])
  expect(await eventTypes(bench)).toEqual([])
})

test('a mailbox that was connected a moment ago is not overdue, however long nobody else’s was polled', async () => {
  await run(10, true)
  slots = []
  await run(90, false)
  await addInSlot(1)
  await run(5, false)
  expect([await eventTypes(bench), await eventTypes(bench, '-')]).toEqual([[], []])
})

test.each<[string, Partial<Channel>]>([
  ['that must be reconnected', { auth: { state: 'reconnect_required', fault: null, since: '' } }],
  [
    'that is blocked for reading',
    { access: { imap: { state: 'blocked', fault: null }, smtp: { state: 'ok', fault: null } } },
  ],
])('a mailbox %s is not read anyway, and no news', async (_what, changes) => {
  await bench.channels.change(channel.id, changes)
  await run(60, false)
  expect([await eventTypes(bench), await eventTypes(bench, '-')]).toEqual([[], []])
})

test('one provider’s polls do not hide that another’s stand still', async () => {
  const other = await addInSlot(5, { provider: 'google' })
  await run(10, true)
  await run(60, true)
  const told = await eventsOf(bench)
  expect(told.map(({ type, channelId }) => [type, channelId])).toEqual([['channel.overdue', other.id]])
})
