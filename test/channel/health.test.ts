/** When a channel's health moves, and what is told then: a person is asked when only a person can help, and once. */

import { beforeEach, expect, test } from 'vitest'
import { backOffMs } from '../../functions/channel/back-off.ts'
import { connectionOf, restsUntil } from '../../functions/channel/channel-health.ts'
import { type Channel, presentChannel } from '../../functions/channel/channels.ts'
import { type FaultCode, PostroomError } from '../../functions/channel/faults.ts'
import { authTransitions, connectionTransitions } from '../../functions/channel/health-transitions.ts'
import type { Protocol } from '../../functions/channel/probe.ts'
import { overdueAfterMs } from '../../functions/channel/wake-ups.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import {
  addChannel,
  eventsOf,
  eventTypes,
  openWorkbench,
  type Workbench,
  writesIn,
} from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
})

const latest = () => bench.channels.get(channel.id)

async function fail(code: FaultCode, protocol: Protocol = 'smtp', retryAfterMs?: number): Promise<Channel> {
  const error = new PostroomError(code, { evidence: `what the server said about ${code}`, retryAfterMs })
  return bench.health.failed(await latest(), protocol, error)
}

/** One firing; which mailboxes are polled is none of its business here. */
const fireSchedule = () =>
  schedule({
    ...bench,
    minutes: { due: async () => [], done: async () => {} },
    keepAlive: { next: async () => undefined, done: async () => {} },
  })

test('I8: no outage, throttle or doubt has a way to a prompt', () => {
  for (const { tell } of connectionTransitions) expect(['channel.overdue', null]).toContain(tell)
  const prompts = authTransitions.filter(({ tell }) => tell === 'channel.reconnect_required')
  expect(prompts.map(({ on, to }) => [on, to])).toEqual([['person_needed', 'reconnect_required']])
})

test('every state of auth is left by a consent and by a proof that all works', () => {
  for (const on of ['consented', 'proven']) {
    const broken = ['reconnect_required', 'blocked_by_admin', 'app_fault']
    const row = authTransitions.find(row => row.on === on)
    expect(row).toMatchObject({ to: 'connected', from: expect.arrayContaining(broken) })
  }
})

test.each<FaultCode>(['grant_revoked', 'grant_expired', 'sign_in_required', 'consent_withdrawn'])(
  '%s is the token endpoint’s verdict: a prompt at once, and only once',
  async code => {
    await fail(code, 'smtp')
    await fail(code, 'imap')
    expect((await latest()).auth).toMatchObject({ state: 'reconnect_required', fault: { code } })
    expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
  },
)

test('refusals that sending and fetching find at the same moment are told once', async () => {
  const error = new PostroomError('grant_revoked')
  await Promise.all([
    bench.health.failed(channel, 'smtp', error),
    bench.health.failed(channel, 'imap', error),
  ])
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
})

test.each<[FaultCode, number, number]>([
  ['sign_in_refused', 2, 10],
  ['smtp_refuses_login', 2, 10],
  ['web_login_required', 2, 10],
  ['grant_doubtful', 4, 15],
])('%s is believed when it was seen %i times over %i minutes, and not before', async (code, times, over) => {
  for (let time = 1; time < times; time++) await fail(code)
  bench.clock.advance((over - 1) * minuteMs)
  await fail(code)
  expect((await latest()).auth.state).toBe('connected')
  expect(await eventTypes(bench)).toEqual([])
  bench.clock.advance(2 * minuteMs)
  await fail(code)
  expect((await latest()).auth).toMatchObject({
    state: expect.not.stringMatching('connected'),
    fault: { code },
  })
  expect(await eventTypes(bench)).toHaveLength(1)
})

test('while a refusal is in doubt, nobody is named who would have to act', async () => {
  await fail('sign_in_refused')
  expect(connectionOf(await latest())).toMatchObject({
    state: 'backing_off',
    fault: {
      code: 'sign_in_unsettled',
      actor: 'nobody',
      evidence: 'what the server said about sign_in_refused',
    },
  })
})

test('a success in between starts the count anew; an outage in between does not', async () => {
  await fail('sign_in_refused')
  bench.clock.advance(11 * minuteMs)
  await bench.health.succeeded(await latest(), 'smtp')
  await fail('sign_in_refused')
  expect((await latest()).auth.state).toBe('connected')
  bench.clock.advance(6 * minuteMs)
  await fail('smtp_unreachable')
  bench.clock.advance(6 * minuteMs)
  await fail('sign_in_refused')
  expect((await latest()).auth.state).toBe('reconnect_required')
})

test('each protocol rests for itself: a mailbox that has sent enough for today is still read', async () => {
  const resting = await fail('sending_limit_reached', 'smtp')
  expect(restsUntil(resting, 'smtp', bench.now() + 59 * minuteMs)).not.toBeNull()
  expect(restsUntil(resting, 'imap', bench.now())).toBeNull()
  await bench.health.succeeded(await latest(), 'imap')
  expect(connectionOf(await latest()).state).toBe('backing_off')
})

test('I8: a day of throttling rests longer and longer, prompts nobody, and ends with a success', async () => {
  const rests: number[] = []
  for (const endMs = bench.now() + dayMs; bench.now() < endMs; ) {
    const until = restsUntil(await fail('imap_throttled', 'imap'), 'imap', bench.now())
    rests.push(Date.parse(until ?? '') - bench.now())
    bench.clock.advance(rests.at(-1) ?? 0)
  }
  expect(Math.max(...rests)).toBeGreaterThan(Math.min(...rests))
  expect((await latest()).auth.state).toBe('connected')
  expect(await eventTypes(bench)).toEqual([])
  await bench.health.succeeded(await latest(), 'imap')
  expect(connectionOf(await latest())).toMatchObject({ state: 'ok', fault: null })
})

test.each<[FaultCode, number, number]>([
  ['smtp_too_many_connections', 10, 60],
  ['smtp_throttled', 600, 3600],
  ['imap_throttled', 900, 24 * 3600],
  ['provider_throttled', 60, 3600],
  ['imap_unreachable', 5, 900],
])('%s rests between %i and %i seconds, spread by chance', (code, from, to) => {
  const error = new PostroomError(code)
  const waits = [1, 2, 5, 1000].flatMap(failures => [0, 0.5, 1].map(n => backOffMs(error, failures, () => n)))
  expect(Math.min(...waits)).toBe(from * 1000)
  expect(Math.max(...waits)).toBe(to * 1000)
  expect(backOffMs(error, 3, () => 0.9)).toBeGreaterThan(backOffMs(error, 1, () => 0.9))
})

const asks = (retryAfterMs: number) => new PostroomError('imap_throttled', { retryAfterMs })

test('a provider that asks for half an hour again and again is not left for a day', () => {
  for (const failures of [1, 5, 50]) {
    expect(backOffMs(asks(hourMs / 2), failures, () => 0.99)).toBeLessThan(hourMs)
  }
})

test('what a provider asks for is never cut short, and never exceeds a day', () => {
  expect(backOffMs(asks(2 * hourMs), 1, () => 0)).toBe(2 * hourMs)
  expect(backOffMs(asks(1000 * dayMs), 1, () => 1)).toBe(dayMs)
})

test('the history tells each step of both axes with reason, time and the server’s words, and stays short', async () => {
  await fail('imap_unreachable', 'imap')
  await bench.health.succeeded(await latest(), 'imap')
  await fail('grant_revoked')
  const steps = presentChannel(await latest()).history
  expect(steps).toMatchObject([
    { axis: 'connection', protocol: 'imap', from: 'ok', to: 'backing_off', reason: 'imap_unreachable' },
    { axis: 'connection', protocol: 'imap', from: 'backing_off', to: 'ok', reason: 'worked' },
    {
      axis: 'auth',
      from: 'connected',
      to: 'reconnect_required',
      reason: 'grant_revoked',
      evidence: 'what the server said about grant_revoked',
    },
  ])
})

test('many outages push no step of auth out of the history', async () => {
  await fail('smtp_disabled')
  for (let time = 0; time < 30; time++) {
    await fail('imap_unreachable', 'imap')
    await bench.health.succeeded(await latest(), 'imap')
  }
  const { history } = await latest()
  expect(history.filter(({ axis }) => axis === 'auth')).toHaveLength(1)
  expect(history.length).toBeLessThanOrEqual(20)
})

test('an idle success of a channel that is well writes nothing', async () => {
  const before = writesIn(bench.stores)
  await bench.health.succeeded(await latest(), 'imap')
  expect(writesIn(bench.stores)).toBe(before)
})

test('a prompt says why, who must act, and by which link', async () => {
  await fail('sign_in_required')
  const [event] = await eventsOf(bench)
  expect(event?.data).toMatchObject({
    reason: 'sign_in_required',
    actor: 'owner',
    reconnectUrl: expect.stringMatching(/^http:\/\/localhost:4400\/connect\/ch_\d+\.[\w-]{43}$/),
  })
})

test('a block names the setting and that an administrator must change it', async () => {
  await fail('smtp_disabled')
  const [event] = await eventsOf(bench)
  expect(event).toMatchObject({
    type: 'channel.blocked',
    data: {
      reason: 'smtp_disabled',
      actor: 'tenant_admin',
      setting: expect.stringContaining('SmtpClientAuthenticationDisabled'),
    },
  })
})

test('the same setting in the way of both protocols is told once', async () => {
  await fail('grant_blocked_by_policy', 'smtp')
  await fail('grant_blocked_by_policy', 'imap')
  expect(await eventTypes(bench)).toEqual(['channel.blocked'])
  expect((await latest()).access).toMatchObject({ imap: { state: 'blocked' }, smtp: { state: 'blocked' } })
})

test('a dead grant is told, though a setting is in the way already', async () => {
  await fail('smtp_disabled', 'smtp')
  await fail('grant_revoked', 'smtp')
  expect(await eventTypes(bench)).toEqual(['channel.blocked', 'channel.reconnect_required'])
})

test('somebody is reminded after 1, 3 and 7 days, with a fresh link each time', async () => {
  await fail('grant_revoked')
  for (let hour = 0; hour < 9 * 24; hour += 12) {
    await fireSchedule()
    bench.clock.advance(12 * hourMs)
  }
  const prompts = (await eventsOf(bench)).map(({ data }) => data as Record<string, unknown>)
  expect(prompts.map(({ reminder }) => reminder)).toEqual([undefined, 1, 2, 3])
  expect(new Set(prompts.map(({ reconnectUrl }) => reconnectUrl)).size).toBe(4)
})

test('nobody is reminded of what is cured, or of a channel that was given up', async () => {
  await fail('grant_revoked')
  await bench.health.proven(await latest(), { auth: { state: 'connected', fault: null, since: '' } })
  const given = await addChannel(bench)
  await bench.health.failed(given, 'imap', new PostroomError('grant_revoked'))
  await bench.channels.change(given.id, { disconnectedAt: new Date(bench.now()).toISOString() })
  bench.clock.advance(2 * dayMs)
  await fireSchedule()
  expect((await eventTypes(bench)).sort()).toEqual([
    'channel.reconnect_required',
    'channel.reconnect_required',
    'channel.recovered',
  ])
})

test('a mailbox from which nothing was fetched for long is announced once, and again when it is well', async () => {
  await fail('imap_unreachable', 'imap')
  bench.clock.advance(overdueAfterMs - minuteMs)
  await fireSchedule()
  expect(await eventTypes(bench)).toEqual([])
  bench.clock.advance(2 * minuteMs)
  await fail('imap_unreachable', 'imap')
  await fireSchedule()
  await fireSchedule()
  expect(await eventTypes(bench)).toEqual(['channel.overdue'])
  expect(presentChannel(await latest()).isOverdue).toBe(true)
  await bench.health.succeeded(await latest(), 'imap')
  expect(await eventTypes(bench)).toEqual(['channel.overdue', 'channel.recovered'])
  await fireSchedule()
  expect(presentChannel(await latest()).isOverdue).toBe(false)
})

test('a probe that a server left without a verdict ends no trouble with it, and tells nothing overdue twice', async () => {
  // It forgot the trouble: the channel looked well, and was told as overdue again after every look.
  await fail('smtp_disabled', 'smtp')
  await fail('imap_unreachable', 'imap')
  for (let hour = 0; hour < 3; hour++) {
    bench.clock.advance(hourMs)
    await fireSchedule()
    const { auth, access } = await latest()
    await bench.health.proven(await latest(), { auth, access }, { imap: false, smtp: false })
    await fail('imap_unreachable', 'imap')
  }
  expect(await eventTypes(bench)).toEqual(['channel.blocked', 'channel.overdue'])
  expect(await latest()).toMatchObject({ isOverdueTold: true, imapTrouble: { failures: 4 } })
})

test('a probe that opens the mailbox ends its rest; that mail is fetched again is told once it was', async () => {
  await fail('imap_unreachable', 'imap')
  bench.clock.advance(overdueAfterMs + minuteMs)
  await fireSchedule()
  const { auth } = await latest()
  await bench.health.proven(await latest(), { auth })
  expect(await latest()).toMatchObject({ imapTrouble: null, isOverdueTold: true })
  await bench.health.succeeded(await latest(), 'imap')
  expect(await eventTypes(bench)).toEqual(['channel.overdue', 'channel.recovered'])
})

test('a probe that changes nothing about a dead grant ends no reminders', async () => {
  await fail('grant_revoked')
  const { auth } = await latest()
  await bench.health.proven(await latest(), { auth }, { imap: false, smtp: false })
  bench.clock.advance(25 * hourMs)
  await fireSchedule()
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required', 'channel.reconnect_required'])
})

test('a channel that older versions stored is read, and moves', async () => {
  const { imapTrouble: _i, smtpTrouble: _s, history: _h, revision: _r, ...old } = await latest()
  await bench.main.put({ pk: 'CHANNEL#ch_old', sk: 'CHANNEL', ...old, id: 'ch_old' })
  const read = await bench.channels.get('ch_old')
  const moved = await bench.health.failed(read, 'imap', new PostroomError('imap_unreachable'))
  expect(connectionOf(moved).state).toBe('backing_off')
})
