/** An OAuth app that the provider refuses: one trouble of the operator's, told once, tried seldom, over by itself. */

import { expect, test } from 'vitest'
import { connectionOf } from '../../functions/channel/channel-health.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { revoked, type ScriptedAnswer, startTokenEndpoint } from '../support/token-endpoint.ts'
import {
  addChannel,
  eventsOf,
  openWorkbench,
  testApp,
  type Workbench,
  writesIn,
} from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

const secretExpired: ScriptedAnswer = {
  status: 401,
  body: { error: 'invalid_client', error_codes: [7000222] },
}

/** Channels of several accounts whose tokens have ended. */
async function setUp(accounts = ['acme', 'acme', 'other'], app = testApp) {
  const endpoint = await startTokenEndpoint()
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ tokenEndpoint: endpoint.url }),
    apps: { get: async () => app, all: async () => ({}) },
  })
  const channels: Channel[] = []
  for (const [index, accountId] of accounts.entries()) {
    endpoint.accept(`refresh-of-${index}`)
    channels.push(await addChannel(bench, { accountId, tokens: { refreshToken: `refresh-of-${index}` } }))
  }
  bench.clock.advance(61 * minuteMs)
  const codeOf = async (channel: Channel) => (await thrownBy(() => bench.tokens.accessToken(channel))).code
  const [first, second, third] = channels
  if (!first || !second || !third) throw new Error('three channels are needed')
  return { endpoint, bench, first, second, third, codeOf }
}

const faultsOf = async (bench: Workbench, account: string) =>
  (await eventsOf(bench, account)).filter(({ type }) => type === 'app.fault')

test.each<[string, ScriptedAnswer]>([
  ['expired secret', secretExpired],
  ['wrong secret', { status: 401, body: { error: 'invalid_client', error_codes: [7000215] } }],
  ['Google, deleted client', { status: 401, body: { error: 'deleted_client' } }],
  ['unauthorized client', { status: 400, body: { error: 'unauthorized_client' } }],
])(
  'one refusal of the app (%s) holds back all its channels, and one event tells each account',
  async (_what, refusal) => {
    const { endpoint, bench, first, second, third, codeOf } = await setUp()
    endpoint.always = refusal
    for (const channel of [first, second, third, first]) {
      expect(await codeOf(channel)).toBe('app_credentials_refused')
    }
    expect(endpoint.requests).toHaveLength(1)
    for (const account of ['acme', 'other']) {
      const [told, ...more] = await faultsOf(bench, account)
      expect(more).toEqual([])
      expect(told?.channelId).toBeNull()
      expect(told?.data).toMatchObject({
        provider: 'microsoft',
        clientId: first.clientId,
        fault: { code: 'app_credentials_refused', actor: 'operator' },
      })
    }
    expect((await bench.channels.get(first.id)).auth.state).toBe('connected')
    expect(connectionOf(await bench.channels.get(first.id)).state).toBe('ok')
  },
)

test('while the app is refused, a mailbox whose token is still good goes on', async () => {
  const { endpoint, bench, first, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  const healthy = await addChannel(bench, { tokens: { accessToken: 'still-good' } })
  expect(await bench.tokens.accessToken(healthy)).toBe('still-good')
  bench.clock.advance(55 * minuteMs)
  // Due for its refresh, which must wait; there are minutes left.
  expect(await bench.tokens.accessToken(healthy)).toBe('still-good')
})

test('a look at a refused app costs one read of the grant, and no write', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  await codeOf(second)
  const before = bench.stores.calls.length
  const writes = writesIn(bench.stores)
  await codeOf(second)
  expect(bench.stores.calls.slice(before).map(({ command }) => command)).toEqual(['GetItemCommand'])
  expect(writesIn(bench.stores)).toBe(writes)
})

test('one channel at a time tries anew, at growing intervals', async () => {
  const { endpoint, bench, first, second, third, codeOf } = await setUp()
  endpoint.always = secretExpired
  const tryAll = () => Promise.all([first, second, third].map(codeOf))
  await codeOf(first)
  const callsAfter: number[] = []
  for (let minute = 1; minute <= 14; minute++) {
    bench.clock.advance(minuteMs)
    await tryAll()
    callsAfter.push(endpoint.requests.length)
  }
  expect(callsAfter).toEqual([2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 5, 5])
  expect(await faultsOf(bench, 'acme')).toHaveLength(1)
})

test('the wait that an error names ends after the next trial', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  const { retryAfterMs = 0 } = await thrownBy(() => bench.tokens.accessToken(second))
  expect(retryAfterMs).toBeGreaterThan(50_000)
  expect(retryAfterMs).toBeLessThanOrEqual(75_000)
})

test('after the fix, the first trial ends it for all, without anybody’s help', async () => {
  const { endpoint, bench, first, second, third, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  endpoint.always = undefined
  expect(await codeOf(second)).toBe('app_credentials_refused')
  bench.clock.advance(minuteMs)
  for (const channel of [second, third, first])
    expect(await bench.tokens.accessToken(channel)).toMatch(/^access-/)
  const [recovered] = (await bench.breaker.standing()).recovered
  expect(recovered).toMatchObject({ provider: 'microsoft', clientId: first.clientId })
  if (recovered) await bench.breaker.resumed(recovered)
  expect((await bench.breaker.standing()).recovered).toEqual([])
})

test('a trial that is told of a dead grant ends it too: the app was accepted', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  endpoint.always = revoked
  bench.clock.advance(minuteMs)
  expect(await codeOf(first)).toBe('grant_revoked')
  endpoint.always = undefined
  expect(await bench.tokens.accessToken(second)).toMatch(/^access-/)
})

test('a trial that meets an outage proves nothing: the next one comes in its time', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  endpoint.always = { status: 503, body: '<html></html>' }
  bench.clock.advance(minuteMs)
  expect(await codeOf(first)).toBe('provider_unreachable')
  expect(await codeOf(second)).toBe('app_credentials_refused')
  expect(endpoint.requests).toHaveLength(2)
})

test('an app that is refused again within minutes has not recovered: nobody is told twice', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  bench.clock.advance(minuteMs)
  endpoint.always = undefined
  await bench.tokens.accessToken(first)
  endpoint.always = secretExpired
  expect(await codeOf(second)).toBe('app_credentials_refused')
  expect(await faultsOf(bench, 'acme')).toHaveLength(1)
})

test('an app that is refused again after an hour is told again', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.always = secretExpired
  await codeOf(first)
  bench.clock.advance(minuteMs)
  endpoint.always = undefined
  await bench.tokens.accessToken(first)
  bench.clock.advance(60 * minuteMs)
  endpoint.always = secretExpired
  expect(await codeOf(second)).toBe('app_credentials_refused')
  expect(await faultsOf(bench, 'acme')).toHaveLength(2)
})

test('an event that could not be told is told with the next refusal', async () => {
  const { endpoint, bench, first, codeOf } = await setUp()
  endpoint.always = secretExpired
  bench.stores.failWhen(({ service }) => service === 'sns')
  expect(await codeOf(first)).toBe('app_credentials_refused')
  bench.stores.failWhen(() => false)
  expect(await faultsOf(bench, 'acme')).toEqual([])
  await codeOf(first)
  expect(await faultsOf(bench, 'acme')).toHaveLength(1)
})

const unknownInTenant: ScriptedAnswer = {
  status: 400,
  body: { error: 'unauthorized_client', error_codes: [700016] },
}

test('an organization that has removed the app holds back its own channels only', async () => {
  const { endpoint, bench, first, second, third, codeOf } = await setUp()
  const elsewhere = { ...third, identity: { ...third.identity, tid: 'another-tenant' } }
  endpoint.script.push(unknownInTenant)
  expect(await codeOf(first)).toBe('app_refused_in_tenant')
  expect(await codeOf(second)).toBe('app_refused_in_tenant')
  expect(endpoint.requests).toHaveLength(1)
  expect(await bench.tokens.accessToken(elsewhere)).toMatch(/^access-/)
  const [told] = await faultsOf(bench, 'acme')
  expect(told?.data).toMatchObject({ tenantId: first.identity.tid, fault: { code: 'app_refused_in_tenant' } })
  expect(await faultsOf(bench, 'other')).toEqual([])
  bench.clock.advance(minuteMs)
  expect(await bench.tokens.accessToken(second)).toMatch(/^access-/)
  expect(await bench.tokens.accessToken(first)).toMatch(/^access-/)
})

test('a trial for all that meets an organization without the app ends it for all but that one', async () => {
  const { endpoint, bench, first, third, codeOf } = await setUp()
  const elsewhere = { ...third, identity: { ...third.identity, tid: 'another-tenant' } }
  endpoint.script.push(secretExpired, unknownInTenant)
  expect(await codeOf(first)).toBe('app_credentials_refused')
  bench.clock.advance(minuteMs)
  expect(await codeOf(first)).toBe('app_refused_in_tenant')
  expect(await bench.tokens.accessToken(elsewhere)).toMatch(/^access-/)
  expect(await codeOf(first)).toBe('app_refused_in_tenant')
})

test('a KMS or STS that gives no credential is the operator’s as well, told if it still gives none a minute later, and marks no mailbox', async () => {
  let attempts = 0
  let isGiven = false
  const { bench, endpoint, first, second, third, codeOf } = await setUp(undefined, {
    ...testApp,
    authenticate: async () => {
      attempts += 1
      if (!isGiven) throw new PostroomError('app_credential_unavailable', { evidence: 'DisabledException' })
      return { client_assertion: 'made' }
    },
  })
  for (const channel of [first, second, third])
    expect(await codeOf(channel)).toBe('app_credential_unavailable')
  expect(attempts).toBe(1)
  expect(await faultsOf(bench, 'acme')).toEqual([])
  bench.clock.advance(minuteMs)
  for (const channel of [first, second, third])
    expect(await codeOf(channel)).toBe('app_credential_unavailable')
  expect(attempts).toBe(2)
  for (const account of ['acme', 'other', '-']) {
    const fault = { code: 'app_credential_unavailable', actor: 'operator', evidence: 'DisabledException' }
    expect((await faultsOf(bench, account)).map(({ data }) => data)).toMatchObject([{ fault }])
  }
  const found = await bench.channels.get(third.id)
  expect([found.auth.state, connectionOf(found).state]).toEqual(['connected', 'ok'])
  isGiven = true
  bench.clock.advance(2 * minuteMs)
  for (const channel of [first, second, third])
    expect(await bench.tokens.accessToken(channel)).toMatch(/^access-/)
  expect(endpoint.requests).toHaveLength(3)
})

test('a bad second of KMS is told to nobody', async () => {
  let attempts = 0
  const { bench, first, codeOf } = await setUp(undefined, {
    ...testApp,
    authenticate: async () => {
      if (++attempts === 1) throw new PostroomError('app_credential_unavailable')
      return { client_assertion: 'made' }
    },
  })
  await codeOf(first)
  bench.clock.advance(minuteMs)
  expect(await bench.tokens.accessToken(first)).toMatch(/^access-/)
  expect(await faultsOf(bench, 'acme')).toEqual([])
})

test('an invalid_grant of one mailbox holds back no other', async () => {
  const { endpoint, bench, first, second, codeOf } = await setUp()
  endpoint.script.push(revoked)
  expect(await codeOf(first)).toBe('grant_revoked')
  expect(await bench.tokens.accessToken(second)).toMatch(/^access-/)
})
