/** Grants that go unused are refreshed in time; OAuth apps' secrets that end are told of in time. */

import { expect, test } from 'vitest'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { OAuthApps } from '../../functions/channel/oauth-apps.ts'
import { keepAlive } from '../../functions/fetch/keep-alive.ts'
import { announceExpiring } from '../../functions/fetch/secret-expiry.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { revoked, startTokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, eventsOf, eventTypes, openWorkbench, testApp, writesIn } from '../support/workbench.ts'

const engines = useEngines()
const dayMs = 24 * 3600_000

/** What is not read gets no token by being polled. */
const notRead = {
  imap: { state: 'blocked' as const, fault: null },
  smtp: { state: 'ok' as const, fault: null },
}

async function setUp() {
  const endpoint = await startTokenEndpoint()
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ tokenEndpoint: endpoint.url }),
  })
  const connect = async (refreshToken: string, changes: object = {}) => {
    endpoint.accept(refreshToken)
    return addChannel(bench, { tokens: { refreshToken }, access: notRead, ...changes })
  }
  return { endpoint, bench, connect }
}

test('a grant that nothing has refreshed for a week is refreshed, one that was is left alone', async () => {
  const { endpoint, bench, connect } = await setUp()
  const unused = await connect('unused')
  bench.clock.advance(8 * dayMs)
  const used = await connect('used')
  await keepAlive([unused.id, used.id], bench)
  expect(endpoint.requests.map(form => form.get('refresh_token'))).toEqual(['unused'])
  const writes = writesIn(bench.stores)
  bench.clock.advance(6 * dayMs)
  await keepAlive([unused.id, used.id], bench)
  expect(endpoint.requests).toHaveLength(1)
  expect(writesIn(bench.stores)).toBe(writes)
})

test('a grant kept alive once a week outlives the provider’s 90 days', async () => {
  const { endpoint, bench, connect } = await setUp()
  const channel = await connect('first')
  for (let week = 1; week <= 14; week++) {
    bench.clock.advance(8 * dayMs)
    await keepAlive([channel.id], bench)
    expect(endpoint.requests).toHaveLength(week)
  }
  expect(await bench.tokens.accessToken(channel)).toBe('access-14')
})

test('a channel blocked for reading is kept alive as well; one that is over is not', async () => {
  const { endpoint, bench, connect } = await setUp()
  const at = new Date(bench.now()).toISOString()
  const blocked = await connect('blocked', {
    access: { imap: { state: 'blocked', fault: null }, smtp: { state: 'ok', fault: null } },
  })
  const gone = await connect('gone', { disconnectedAt: at })
  const broken = await connect('broken', { auth: { state: 'reconnect_required', fault: null, since: at } })
  bench.clock.advance(8 * dayMs)
  await keepAlive([blocked.id, gone.id, broken.id, 'ch_unknown'], bench)
  expect(endpoint.requests.map(form => form.get('refresh_token'))).toEqual(['blocked'])
})

test('a grant found dead asks its owner, an outage asks nobody, and neither keeps the others from their turn', async () => {
  const { endpoint, bench, connect } = await setUp()
  const channels = [await connect('one'), await connect('two'), await connect('three')]
  bench.clock.advance(8 * dayMs)
  endpoint.script.push(revoked, { status: 503, body: '<html></html>' })
  await keepAlive(
    channels.map(({ id }) => id),
    bench,
  )
  expect(endpoint.requests).toHaveLength(3)
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
})

const read = { imap: notRead.smtp, smtp: notRead.smtp }

test('a mailbox that lost its slot is told of once, and polled again', async () => {
  const { bench, connect } = await setUp()
  const lost = await connect('lost', { access: read })
  const polled = await connect('polled', { access: read, tokens: { expiresInMs: 6 * 3600_000 } })
  bench.clock.advance(5 * 3600_000)
  for (let time = 0; time < 2; time++) await keepAlive([lost.id, polled.id], bench)
  const told = await eventsOf(bench)
  expect(told.map(({ type, channelId, data }) => [type, channelId, data.reason])).toEqual([
    ['channel.overdue', lost.id, 'polling_stalled'],
  ])
  const slots = await bench.slots.dueIn(Array.from({ length: 60 }, (_, minute) => minute))
  expect(new Set(slots.map(({ channelId }) => channelId))).toEqual(new Set([lost.id]))
})

test('a mailbox that cannot be polled, since its OAuth app is refused or its server is away, is not called forgotten', async () => {
  const { bench, connect } = await setUp()
  const refused = await connect('refused', { access: read })
  const away = await connect('away', { access: read, clientId: 'another' })
  bench.clock.advance(5 * 3600_000)
  await bench.breaker.codeRefused(refused, new PostroomError('app_credentials_refused'))
  await bench.health.failed(away, 'imap', new PostroomError('imap_unreachable'))
  await keepAlive([refused.id, away.id], bench)
  expect(await eventTypes(bench)).toEqual(['app.fault'])
})

const expiring = (secretExpiresAt: string | undefined): OAuthApps => ({
  get: async () => testApp,
  all: async () => ({
    microsoft: { clientId: 'the-app', tenant: 'common', clientSecret: 'its-secret', secretExpiresAt },
    google: { clientId: 'another', tenant: 'common', clientSecret: 'another-secret' },
  }),
})

test('a secret’s end is told 30, 7 and 1 days before, once each, to the operator', async () => {
  const { bench } = await setUp()
  const expiresAt = new Date(bench.now() + 40 * dayMs).toISOString()
  for (let day = 0; day < 42; day++) {
    await announceExpiring({ ...bench, apps: expiring(expiresAt) })
    bench.clock.advance(dayMs)
  }
  const told = await eventsOf(bench, '-')
  expect(told.map(({ type, data }) => [type, data])).toEqual(
    [30, 7, 1].map(withinDays => [
      'app.secret_expiring',
      { provider: 'microsoft', clientId: 'the-app', expiresAt, withinDays },
    ]),
  )
})

test('a secret that was renewed is told of anew, when its own time comes', async () => {
  const { bench } = await setUp()
  const day = (days: number) => new Date(bench.now() + days * dayMs).toISOString().slice(0, 10)
  await announceExpiring({ ...bench, apps: expiring(day(5)) })
  await announceExpiring({ ...bench, apps: expiring(day(100)) })
  expect(await eventTypes(bench, '-')).toHaveLength(1)
  await announceExpiring({ ...bench, apps: expiring(day(6)) })
  expect(await eventTypes(bench, '-')).toHaveLength(2)
})

test('an app whose secret has no known end is not told of', async () => {
  const { bench } = await setUp()
  await announceExpiring({ ...bench, apps: expiring(undefined) })
  expect(await eventTypes(bench, '-')).toEqual([])
})
