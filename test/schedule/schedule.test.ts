/** Every minute: who is polled, what is rung for, what is told late; and that no part keeps another from its work. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { newSession } from '../../functions/channel/connect-sessions.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { type ScheduleServices, schedule } from '../../functions/schedule/schedule.ts'
import { openClock } from '../support/clock.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventTypes, openWorkbench, recordQueues, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

let bench: Workbench

beforeEach(async () => {
  const clock = openClock()
  // In the middle of a minute, so that a slow test does not slip into the next.
  clock.advance(minuteMs - (clock.now() % minuteMs) + minuteMs / 2)
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}), clock })
})

/** One firing. @returns what it asked for */
async function fire(changes: Partial<ScheduleServices> = {}) {
  const queues = recordQueues()
  const services = {
    ...bench,
    minutes: openMinutes(bench),
    keepAlive: openKeepAlive(bench),
    queues,
    ...changes,
  }
  await schedule(services)
  return {
    rings: queues.rings,
    polls: queues.polls,
    polled: queues.polls.flatMap(({ channelIds }) => channelIds),
  }
}

const ids = (count: number, prefix = 'ch') => Array.from({ length: count }, (_, i) => `${prefix}_${i}`)
const addSlots = (channels: string[], interval: number) =>
  Promise.all(channels.map(id => addSlot(id, interval)))
const addSlot = (channelId: string, intervalMinutes: number, provider = 'microsoft') =>
  bench.slots.put({ channelId, provider, intervalMinutes })
const send = (channel: Channel, changes: object = {}) =>
  accept(
    {
      channel,
      idempotencyKey: `key-${Math.random()}`,
      document: { to: [{ address: 'a@outside.example' }], text: 'Hi', ...changes },
    },
    bench,
  )

test('each mailbox is polled once in its interval, whatever minute it sits in', async () => {
  await addSlots(ids(20), 5)
  const polled: string[] = []
  for (let minute = 0; minute < 5; minute++) {
    polled.push(...(await fire()).polled)
    bench.clock.advance(minuteMs)
  }
  expect(polled.sort()).toEqual(ids(20).sort())
})

test('a minute is dispatched once', async () => {
  await addSlots(ids(3), 1)
  expect((await fire()).polled).toHaveLength(3)
  expect((await fire()).polled).toEqual([])
  bench.clock.advance(minuteMs)
  expect((await fire()).polled).toHaveLength(3)
})

test('missed minutes are caught up, each mailbox once', async () => {
  await addSlots(ids(20), 5)
  await addSlots(ids(2, 'often'), 1)
  await fire()
  bench.clock.advance(5 * minuteMs)
  const { polled } = await fire()
  expect(polled.sort()).toEqual([...ids(20), ...ids(2, 'often')].sort())
})

test('after a day of nothing no more than an hour is caught up', async () => {
  await fire()
  bench.clock.advance(24 * 60 * minuteMs)
  expect(await openMinutes(bench).due()).toHaveLength(60)
})

test('a firing that died before it was done is repeated by the next', async () => {
  await addSlots(ids(3), 1)
  const queues = recordQueues()
  queues.poll = async () => {
    throw new Error('SQS is down')
  }
  await expect(fire({ queues })).rejects.toThrow('SQS is down')
  expect((await fire()).polled).toHaveLength(3)
})

test('a late firing does not set the clock back', async () => {
  await fire()
  const minutes = openMinutes(bench)
  const [current = 0] = [Math.floor(bench.now() / minuteMs)]
  bench.clock.advance(minuteMs)
  await fire()
  await minutes.done([current])
  expect(await minutes.due()).toEqual([])
})

test('mailboxes go in batches of at most 50, spread over the minute', async () => {
  await addSlots(ids(120), 1)
  const { polls } = await fire()
  expect(polls.map(({ channelIds }) => channelIds.length)).toEqual([50, 50, 20])
  expect(polls.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 16, 33])
  expect(new Set(polls.flatMap(({ channelIds }) => channelIds)).size).toBe(120)
})

test('I7: a batch has one provider’s mailboxes, so that one that throttles slows its own only', async () => {
  for (const id of ids(30)) await addSlot(id, 1, 'microsoft')
  for (const id of ids(30, 'g')) await addSlot(id, 1, 'google')
  const { polls } = await fire()
  expect(polls.map(({ channelIds }) => channelIds.length)).toEqual([30, 30])
  for (const { channelIds } of polls) expect(new Set(channelIds.map(id => id[0])).size).toBe(1)
})

test('a batch says from which interval each mailbox comes', async () => {
  await addSlots(ids(5), 1)
  const { polls } = await fire()
  expect(polls.flatMap(({ intervals }) => intervals)).toEqual([1, 1, 1, 1, 1])
})

test('a mailbox that moves to another interval is polled by that one only', async () => {
  await addSlots(ids(1), 1)
  await addSlots(ids(1), 15)
  let polled = 0
  for (let minute = 0; minute < 15; minute++) {
    polled += (await fire()).polled.length
    bench.clock.advance(minuteMs)
  }
  expect(polled).toBe(1)
})

test('a removed mailbox is polled no more', async () => {
  await addSlots(ids(2), 1)
  await bench.slots.remove('ch_0', 'microsoft')
  expect((await fire()).polled).toEqual(['ch_1'])
})

test('overdue outbox rows are rung for, once per channel; what is for later is not', async () => {
  const [due, later, empty] = [await addChannel(bench), await addChannel(bench), await addChannel(bench)]
  await send(due)
  await send(due)
  const message = await send(later, { sendAt: new Date(bench.now() + 10 * minuteMs).toISOString() })
  const { rings } = await fire()
  expect(rings).toEqual([due.id])
  expect(rings).not.toContain(empty.id)
  bench.clock.advance(11 * minuteMs)
  expect((await fire()).rings.sort()).toEqual([due.id, later.id].sort())
  const [row] = await bench.outbox.rows(later.id, 10)
  expect(row?.id).toBe(message.id)
})

test('I7: a channel with very many overdue messages does not keep others from being rung', async () => {
  const heavy = await addChannel(bench)
  const message = await send(heavy)
  const at = new Date(bench.now() - minuteMs).toISOString()
  await Promise.all(
    Array.from({ length: 150 }, (_, i) => bench.outbox.point({ ...message, id: `${message.id}${i}` }, at)),
  )
  const others = []
  for (let i = 0; i < 16; i++) others.push(await addChannel(bench))
  for (const other of others) await send(other)
  const { rings } = await fire()
  expect(rings).toEqual(expect.arrayContaining(others.map(({ id }) => id)))
})

test('what a crashed function decided and did not tell is told, once', async () => {
  const channel = await addChannel(bench, {
    unannounced: [{ type: 'channel.reconnect_required', at: new Date(bench.now()).toISOString() }],
  })
  await fire()
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
  expect((await bench.channels.get(channel.id)).unannounced).toEqual([])
  await fire()
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
})

test('an event that was told just before the crash is not told a second time', async () => {
  const channel = await addChannel(bench, {
    unannounced: [{ type: 'channel.connected', at: new Date(bench.now()).toISOString() }],
  })
  bench.stores.failWhen(({ command }) => command === 'UpdateItemCommand')
  await bench.health.announce(channel).catch(() => undefined)
  bench.stores.failWhen(() => false)
  await fire()
  expect(await eventTypes(bench)).toEqual(['channel.connected'])
  expect(bench.stores.calls.filter(({ service }) => service === 'sns')).toHaveLength(1)
})

test('what one channel cannot tell does not keep another’s events', async () => {
  const at = new Date(bench.now()).toISOString()
  const unannounced = [{ type: 'channel.connected', at }]
  await addChannel(bench, { accountId: 'bad', unannounced })
  await addChannel(bench, { accountId: 'good', unannounced })
  bench.stores.failWhen(
    ({ service, input }) => service === 'sns' && JSON.stringify(input).includes('\\"bad\\"'),
  )
  await fire().catch(() => undefined)
  expect(await eventTypes(bench, 'good')).toEqual(['channel.connected'])
})

test.each(['poll', 'ring', 'announce'])(
  'a failing %s does not keep the other parts from their work, and is told',
  async part => {
    await addSlots(['ch_slot'], 1)
    const channel = await addChannel(bench, {
      unannounced: [{ type: 'channel.connected', at: new Date(bench.now()).toISOString() }],
    })
    await send(channel)
    const queues = recordQueues()
    const fail = async () => {
      throw new Error(`${part} is down`)
    }
    if (part === 'announce') bench.stores.failWhen(({ service }) => service === 'sns')
    else queues[part === 'poll' ? 'poll' : 'ring'] = fail
    await expect(fire({ queues })).rejects.toThrow('is down')
    expect(queues.polls).toHaveLength(part === 'poll' ? 0 : 1)
    expect(queues.rings).toHaveLength(part === 'ring' ? 0 : 1)
    expect(await eventTypes(bench)).toHaveLength(part === 'announce' ? 0 : 1)
  },
)

test('a sign-in that nobody confirmed is revoked, but never one that was to reconnect a channel: Google would end both', async () => {
  const channel = await addChannel(bench)
  const revoked = new Map<string, boolean>()
  const queues = recordQueues()
  queues.forget = async ({ grantId, revoke }) => void revoked.set(grantId, revoke)
  for (const [grantId, channelId] of [
    ['gr_new', null],
    ['gr_again', channel.id],
  ] as const) {
    const { session } = newSession({ accountId: 'acme', provider: 'google', channelId }, bench.now())
    await bench.sessions.create(session)
    const { email, login, clientId, identity } = channel
    const candidate = {
      ...{ channelId: channelId ?? 'ch_new', grantId, identity, email, displayName: null, login, clientId },
      candidates: { imap: [], smtp: [] },
      access: null,
    }
    const waiting = {
      state: 'awaiting_confirmation' as const,
      candidate,
      expiresAtMs: bench.now() + 15 * minuteMs,
    }
    await bench.sessions.move(session.id, { states: ['open'] }, waiting)
  }
  bench.clock.advance(16 * minuteMs)
  await fire({ queues })
  expect(Object.fromEntries(revoked)).toEqual({ gr_new: true, gr_again: false })
})
