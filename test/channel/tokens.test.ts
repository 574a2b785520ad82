/** The token broker: a good token with as few calls of the endpoint as can be, and never a lost refresh token. */

import { expect, test } from 'vitest'
import type { Grants } from '../../functions/channel/grant.ts'
import { tokenTimeoutMs } from '../../functions/channel/token-endpoint.ts'
import { openTokens } from '../../functions/channel/tokens.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { revoked, startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, openWorkbench, ownerOf, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

/** A channel whose token was given out an hour ago less `leftMs`. */
async function setUp({ expiresInMs = 3600_000, refreshToken = 'refresh-0' } = {}) {
  const endpoint = await startTokenEndpoint()
  endpoint.accept(refreshToken)
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ tokenEndpoint: endpoint.url }),
  })
  const channel = await addChannel(bench, { tokens: { accessToken: 'access-0', refreshToken, expiresInMs } })
  return { endpoint, bench, channel }
}

/** Another process: a broker of its own over the same tables. */
const brokerOver = (
  { channels, grants, apps, providers, breaker, now }: Workbench,
  changed?: Partial<Grants>,
) => openTokens({ channels, grants: { ...grants, ...changed }, apps, providers, breaker, now })

async function stored({ grants }: Workbench, channel: Parameters<typeof ownerOf>[0]) {
  const grant = await grants.read(ownerOf(channel))
  return { ...grant, ...(await grants.open(ownerOf(channel), grant)) }
}

const outage = (endpoint: TokenEndpoint) => {
  endpoint.script.push({ status: 503, body: '<html></html>' })
}

test('a valid token costs one read: no write, no call of KMS or the token endpoint', async () => {
  const { endpoint, bench, channel } = await setUp()
  // The first use takes the grant up for good, and asks KMS for the day's key.
  await bench.tokens.accessToken(channel)
  const before = bench.stores.calls.length
  expect(await bench.tokens.accessToken(channel)).toBe('access-0')
  expect(bench.stores.calls.slice(before).map(({ command }) => command)).toEqual(['GetItemCommand'])
  expect(endpoint.requests).toHaveLength(0)
})

test('a refresh costs two writes beside the endpoint, and no call of KMS', async () => {
  const { bench, channel } = await setUp()
  await bench.tokens.accessToken(channel)
  const before = bench.stores.calls.length
  await bench.tokens.tokenAfterRefusal(channel, 'access-0')
  const calls = bench.stores.calls.slice(before).map(({ command }) => command)
  expect(calls.filter(command => command !== 'GetItemCommand')).toEqual([
    'UpdateItemCommand',
    'UpdateItemCommand',
  ])
  // The grant, and what the breakers of the app and of the organization say.
  expect(calls.filter(command => command === 'GetItemCommand')).toHaveLength(3)
})

test('a token is refreshed ahead, after three quarters of its life and before a tenth of it is left', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(44 * minuteMs)
  expect(await bench.tokens.accessToken(channel)).toBe('access-0')
  bench.clock.advance(11 * minuteMs)
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
  expect(endpoint.requests).toHaveLength(1)
})

test('20 callers at once in one process cost one call', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  const tokens = await Promise.all(Array.from({ length: 20 }, () => bench.tokens.accessToken(channel)))
  expect(new Set(tokens)).toEqual(new Set(['access-1']))
  expect(endpoint.requests).toHaveLength(1)
})

test('six processes at once cost one call', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  const brokers = Array.from({ length: 6 }, () => brokerOver(bench))
  const tokens = await Promise.all(brokers.map(broker => broker.accessToken(channel)))
  expect(new Set(tokens)).toEqual(new Set(['access-1']))
  expect(endpoint.requests).toHaveLength(1)
  expect(endpoint.isEnded()).toBe(false)
})

test('a rotated refresh token is the one used next', async () => {
  const { endpoint, bench, channel } = await setUp()
  for (let i = 1; i <= 3; i++) {
    bench.clock.advance(61 * minuteMs)
    expect(await bench.tokens.accessToken(channel)).toBe(`access-${i}`)
  }
  expect(endpoint.requests.map(form => form.get('refresh_token'))).toEqual([
    'refresh-0',
    'refresh-1',
    'refresh-2',
  ])
})

test('a rotated refresh token is saved before the access token is used, however often the save fails', async () => {
  const { bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  let failures = 3
  const save: Grants['save'] = async (...args) => {
    if (failures-- > 0) throw new Error('DynamoDB is down')
    return bench.grants.save(...args)
  }
  expect(await brokerOver(bench, { save }).accessToken(channel)).toBe('access-1')
  expect(await stored(bench, channel)).toMatchObject({ accessToken: 'access-1', refreshToken: 'refresh-1' })
})

test('an access token whose refresh token could not be saved is not given out', async () => {
  const { bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  const save = async () => {
    bench.clock.advance(30_000)
    throw new Error('DynamoDB is down')
  }
  expect((await thrownBy(() => brokerOver(bench, { save }).accessToken(channel))).code).toBe('internal')
})

test('where no new refresh token comes, the old one is kept', async () => {
  const { endpoint, bench, channel } = await setUp()
  endpoint.answer = { refresh_token: undefined }
  for (let i = 1; i <= 2; i++) {
    bench.clock.advance(61 * minuteMs)
    expect(await bench.tokens.accessToken(channel)).toBe(`access-${i}`)
  }
  expect((await stored(bench, channel)).refreshToken).toBe('refresh-0')
})

test('a revoked grant is grant_revoked, and nothing of it is deleted', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  endpoint.script.push(revoked)
  expect((await thrownBy(() => bench.tokens.accessToken(channel))).code).toBe('grant_revoked')
  expect(await stored(bench, channel)).toMatchObject({ accessToken: 'access-0', refreshToken: 'refresh-0' })
  expect((await stored(bench, channel)).leaseOwner).toBeUndefined()
})

test('a revoked grant is not excused by an access token that still lives', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(56 * minuteMs)
  endpoint.script.push(revoked)
  expect((await thrownBy(() => bench.tokens.accessToken(channel))).code).toBe('grant_revoked')
})

test('invalid_grant because somebody else has rotated meanwhile: theirs is used', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  endpoint.script.push(revoked)
  endpoint.beforeAnswer = async () => {
    // Our lease has run out, another process has taken it and has saved.
    bench.clock.advance(minuteMs)
    const owner = ownerOf(channel)
    const previous = await bench.grants.read(owner)
    const lease = { version: previous.version, holder: 'another', untilMs: bench.now() + minuteMs }
    expect(await bench.grants.lease(owner, lease)).toBe(true)
    const answer = {
      accessToken: 'theirs',
      refreshToken: 'their-refresh',
      idToken: null,
      scope: null,
      expiresInMs: 3600_000,
    }
    const theirs = { answer, refreshToken: answer.refreshToken, previous, holder: 'another' }
    expect(await bench.grants.save(owner, theirs)).toBe(true)
  }
  expect(await bench.tokens.accessToken(channel)).toBe('theirs')
  expect((await stored(bench, channel)).refreshToken).toBe('their-refresh')
})

test('while the endpoint is down, the old token is used for as long as it lives', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(57 * minuteMs)
  outage(endpoint)
  expect(await bench.tokens.accessToken(channel)).toBe('access-0')
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
})

test('while the endpoint is down and the old token is dead, the provider is unreachable', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  outage(endpoint)
  expect((await thrownBy(() => bench.tokens.accessToken(channel))).code).toBe('provider_unreachable')
  // The lease was given back: the next caller need not wait for it.
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
})

test('a token endpoint that says nothing is given up, and the lease with it: the next caller need not wait', async () => {
  const { endpoint, bench, channel } = await setUp()
  endpoint.keepsOld = true
  bench.clock.advance(61 * minuteMs)
  const hanging = Promise.withResolvers<void>()
  endpoint.beforeAnswer = () => hanging.promise
  const impatient = openTokens({ ...bench, timeoutMs: 300 })
  expect((await thrownBy(() => impatient.accessToken(channel))).code).toBe('provider_unreachable')
  const { leaseOwner, refreshToken } = await stored(bench, channel)
  expect([leaseOwner, refreshToken]).toEqual([undefined, 'refresh-0'])
  endpoint.beforeAnswer = async () => {}
  expect(await bench.tokens.accessToken(channel)).toMatch(/^access-/)
  hanging.resolve()
})

test('a call that hangs for as long as it may ends, and is saved, before its lease does', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  let leftMs = 0
  endpoint.beforeAnswer = async () => {
    leftMs = ((await stored(bench, channel)).leaseUntilMs ?? 0) - bench.now()
  }
  await bench.tokens.accessToken(channel)
  expect(leftMs).toBeGreaterThan(2 * tokenTimeoutMs)
})

test('a token that lives two minutes only is used for most of them', async () => {
  const { endpoint, bench, channel } = await setUp()
  endpoint.answer = { expires_in: 120 }
  bench.clock.advance(61 * minuteMs)
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
  bench.clock.advance(80_000)
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
  bench.clock.advance(30_000)
  expect(await bench.tokens.accessToken(channel)).toBe('access-2')
})

test('a dead process’s lease is taken over once it has run out', async () => {
  const { bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  const lease = { version: 1, holder: 'dead', untilMs: bench.now() + 30_000 }
  await bench.grants.lease(ownerOf(channel), lease)
  bench.clock.advance(31_000)
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
})

test('after a refusal a fresh token is fetched, though the refused one has not ended', async () => {
  const { bench, channel } = await setUp()
  expect(await bench.tokens.tokenAfterRefusal(channel, 'access-0')).toBe('access-1')
})

test('after a refusal the refused token is not given out, even while the endpoint is down', async () => {
  const { endpoint, bench, channel } = await setUp()
  outage(endpoint)
  const error = await thrownBy(() => bench.tokens.tokenAfterRefusal(channel, 'access-0'))
  expect(error.code).toBe('provider_unreachable')
})

test('after a refusal of an older token the present one is given without a call', async () => {
  const { endpoint, bench, channel } = await setUp()
  expect(await bench.tokens.tokenAfterRefusal(channel, 'access-before')).toBe('access-0')
  expect(endpoint.requests).toHaveLength(0)
})

test('of two callers with different refused tokens, neither gets its own back', async () => {
  const { bench, channel } = await setUp()
  const [first, second] = await Promise.all([
    bench.tokens.tokenAfterRefusal(channel, 'access-before'),
    bench.tokens.tokenAfterRefusal(channel, 'access-0'),
  ])
  expect(first).not.toBe('access-before')
  expect(second).not.toBe('access-0')
})

test('mailboxes that were connected together do not refresh together', async () => {
  const { bench } = await setUp()
  const channels = await Promise.all(Array.from({ length: 20 }, () => addChannel(bench)))
  const due = await Promise.all(channels.map(async channel => (await stored(bench, channel)).refreshAtMs))
  expect(Math.max(...due) - Math.min(...due)).toBeGreaterThan(minuteMs)
})

test('an old refresh token that is kept is sealed anew under the key of the day', async () => {
  const { endpoint, bench, channel } = await setUp()
  const dayOf = async () => (await bench.grants.read(ownerOf(channel))).refreshToken.split('.')[1]
  const first = await dayOf()
  endpoint.answer = { refresh_token: undefined }
  bench.clock.advance(24 * 60 * minuteMs)
  await bench.tokens.accessToken(channel)
  expect(await dayOf()).not.toBe(first)
  expect((await stored(bench, channel)).refreshToken).toBe('refresh-0')
})

test('a slow start that eats up the lease calls nobody: the next one finds the refresh token unspent', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  const open: Grants['open'] = (...args) => {
    bench.clock.advance(30_000)
    return bench.grants.open(...args)
  }
  const error = await thrownBy(() => brokerOver(bench, { open }).accessToken(channel))
  expect(error.code).toBe('token_save_lost')
  expect(endpoint.requests).toHaveLength(0)
  expect(await bench.tokens.accessToken(channel)).toBe('access-1')
})

test('I6: what is sealed for one field or channel does not open in another, also within the table', async () => {
  const { bench, channel } = await setUp()
  const other = await addChannel(bench)
  const [mine, theirs] = [await bench.grants.read(ownerOf(channel)), await bench.grants.read(ownerOf(other))]
  for (const moved of [
    { ...mine, accessToken: mine.refreshToken },
    { ...mine, accessToken: theirs.accessToken },
  ]) {
    const error = await thrownBy(() => bench.grants.openAccessToken(ownerOf(channel), moved))
    expect(error.code).toBe('secret_unreadable')
  }
})

test('a grant nobody has taken up is forgotten after a week, a used one never', async () => {
  const { bench, channel } = await setUp()
  const weekSeconds = 7 * 24 * 3600
  expect((await stored(bench, channel)).ttl).toBeCloseTo(bench.now() / 1000 + weekSeconds, -2)
  await bench.tokens.accessToken(channel)
  expect((await stored(bench, channel)).ttl).toBeUndefined()
})

test('I6: a grant does not open for another channel or account', async () => {
  const { bench, channel } = await setUp()
  const stolen = { ...channel, id: 'ch_thief' }
  expect((await thrownBy(() => bench.tokens.accessToken(stolen))).code).toBe('secret_unreadable')
})

test('I9: no token stands in the tables in clear', async () => {
  const { bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  await bench.tokens.accessToken(channel)
  expect(JSON.stringify(await storedItems(bench))).not.toMatch(/access-\d|refresh-\d/)
})
