/** What strikes a whole organization is told as one event more, once, and over when enough of it work again. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { type FaultCode, PostroomError } from '../../functions/channel/faults.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const tid = '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10'

let bench: Workbench

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
})

const addChannels = (count: number, given: Partial<Channel> = {}) =>
  Promise.all(Array.from({ length: count }, () => addChannel(bench, given)))

async function fail(channel: Channel, code: FaultCode = 'smtp_disabled'): Promise<void> {
  await bench.health.failed(await bench.channels.get(channel.id), 'smtp', new PostroomError(code))
}

async function cure(channel: Channel): Promise<void> {
  const ok = { state: 'ok' as const, fault: null }
  const auth = { state: 'connected' as const, fault: null, since: '' }
  const latest = await bench.channels.get(channel.id)
  await bench.health.proven(latest, { auth, access: { imap: ok, smtp: ok } })
}

async function told(type: string, account = 'acme') {
  return (await eventsOf(bench, account)).filter(event => event.type === type)
}

test.each<[FaultCode, string]>([
  ['smtp_disabled', 'channel.blocked'],
  ['grant_blocked_by_policy', 'channel.blocked'],
  ['consent_withdrawn', 'channel.reconnect_required'],
])(
  '%s in many mailboxes of one organization is told once, beside each channel’s own event',
  async (code, type) => {
    for (const channel of await addChannels(12)) await fail(channel, code)
    const [wave, ...more] = await told('tenant.fault')
    expect(more).toEqual([])
    expect(wave?.channelId).toBeNull()
    expect(wave?.data).toMatchObject({
      provider: 'microsoft',
      tenant: tid,
      reason: code,
      actor: 'tenant_admin',
    })
    expect(wave?.data.channelIds).toHaveLength(5)
    const own = await told(type)
    expect(own).toHaveLength(12)
    // From the one that made it a wave an app can tell that this owner need not be written to.
    expect(own.filter(({ data }) => data.isTenantWide)).toHaveLength(8)
  },
)

test('owners are not written to about what an administrator must mend, unless it lasts', async () => {
  const sender = await addChannel(bench)
  const channels = await addChannels(8, { ownerNotice: { from: sender.id, to: null } })
  for (const channel of channels) await fail(channel, 'consent_withdrawn')
  const noticed = () => bench.queues.notices.map(({ ownerNotice }) => ownerNotice.channelId)
  expect(noticed()).toEqual(channels.slice(0, 4).map(({ id }) => id))
  bench.clock.advance(24 * 60 * minuteMs)
  for (const { id } of channels) await bench.health.attend(await bench.channels.get(id))
  expect(noticed()).toHaveLength(4 + 8)
})

test('of many that are struck at the same moment, too, each is told once, and all of them once', async () => {
  await Promise.all((await addChannels(20)).map(channel => fail(channel)))
  expect(await told('tenant.fault')).toHaveLength(1)
  expect(await told('channel.blocked')).toHaveLength(20)
})

test('four mailboxes, or five over more than an hour, may be chance', async () => {
  const channels = await addChannels(8)
  for (const channel of channels.slice(0, 4)) await fail(channel)
  bench.clock.advance(61 * minuteMs)
  for (const channel of channels.slice(4)) await fail(channel)
  expect(await told('tenant.fault')).toEqual([])
  expect((await told('channel.blocked')).some(({ data }) => data.isTenantWide)).toBe(false)
})

test('different reasons, organizations and accounts do not add up', async () => {
  for (const channel of await addChannels(4)) await fail(channel)
  for (const channel of await addChannels(4)) await fail(channel, 'imap_disabled')
  for (const channel of await addChannels(4, { identity: { tid: 'elsewhere', oid: 'x' } }))
    await fail(channel)
  for (const channel of await addChannels(4, { accountId: 'other' })) await fail(channel)
  expect(await told('tenant.fault')).toEqual([])
  expect(await told('tenant.fault', 'other')).toEqual([])
})

test('at a provider without tenants, the domain of the login is the organization', async () => {
  const at = (domain: string) => {
    const login = { imap: `ada@${domain}`, smtp: `ada@${domain}` }
    return { provider: 'google', identity: { iss: 'https://accounts.google.com', sub: domain }, login }
  }
  for (const channel of await addChannels(4, at('example.com'))) await fail(channel)
  for (const channel of await addChannels(4, at('example.org'))) await fail(channel)
  expect(await told('tenant.fault')).toEqual([])
  for (const channel of await addChannels(1, at('Example.com'))) await fail(channel)
  expect((await told('tenant.fault'))[0]?.data.tenant).toBe('example.com')
})

test.each<[string, Partial<Channel>]>([
  ['Outlook.com', { identity: { tid: '9188040d-6c67-4c5b-b112-36a304b66dad', oid: 'x' } }],
  ['Gmail', { provider: 'google', identity: {}, login: { imap: 'a@gmail.com', smtp: 'a@gmail.com' } }],
])('people’s own mailboxes at %s are no organization', async (_what, given) => {
  for (const channel of await addChannels(6, given)) await fail(channel, 'grant_revoked')
  expect(await told('tenant.fault')).toEqual([])
})

test.each<FaultCode>(['app_replaced', 'sender_mailbox_full'])(
  '%s is no administrator’s doing',
  async code => {
    for (const channel of await addChannels(6)) await fail(channel, code)
    expect(await told('tenant.fault')).toEqual([])
  },
)

test('it is over once as many mailboxes work again; what strikes then is told anew', async () => {
  const channels = await addChannels(8)
  for (const channel of channels) await fail(channel)
  bench.clock.advance(minuteMs)
  for (const channel of channels.slice(0, 4)) await cure(channel)
  expect(await told('tenant.recovered')).toEqual([])
  for (const channel of channels.slice(4)) await cure(channel)
  const [over, ...more] = await told('tenant.recovered')
  expect(more).toEqual([])
  expect(over?.data).toMatchObject({ tenant: tid, reason: 'smtp_disabled' })
  bench.clock.advance(minuteMs)
  for (const channel of channels) await fail(channel)
  expect(await told('tenant.fault')).toHaveLength(2)
})

test('one mailbox that is struck and cured again and again makes no wave', async () => {
  const [channel] = await addChannels(1)
  for (let time = 0; channel && time < 6; time++) {
    await fail(channel)
    bench.clock.advance(minuteMs)
    await cure(channel)
    bench.clock.advance(minuteMs)
  }
  expect(await told('channel.blocked')).toHaveLength(6)
  expect(await told('tenant.fault')).toEqual([])
})

test('what a crash left untold is told by the schedule, and counts once', async () => {
  const channels = await addChannels(5)
  for (const channel of channels.slice(0, 4)) await fail(channel)
  bench.stores.failWhen(({ service }) => service === 'sns')
  const [last] = channels.slice(4)
  if (last) await expect(fail(last)).rejects.toThrow()
  bench.stores.failWhen(() => false)
  const minutes = { due: async () => [], done: async () => {} }
  const keepAlive = { next: async () => undefined, done: async () => {} }
  await schedule({ ...bench, minutes, keepAlive })
  await schedule({ ...bench, minutes, keepAlive })
  expect(await told('tenant.fault')).toHaveLength(1)
  expect(await told('channel.blocked')).toHaveLength(5)
})
