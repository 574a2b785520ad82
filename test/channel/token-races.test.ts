/**
 * Many workers, one refresh token that works once: with crashes at every step, lost answers and a reconnect in
 * between, nobody shows a refresh token twice (I4).
 */

import { expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import type { Table } from '../../functions/channel/table.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { startTokenEndpoint } from '../support/token-endpoint.ts'
import { newTokenWorker as newWorker } from '../support/token-worker.ts'
import { addChannel, openWorkbench, ownerOf, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const workers = 50

async function setUp() {
  const endpoint = await startTokenEndpoint()
  endpoint.accept('refresh-0')
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ tokenEndpoint: endpoint.url }),
  })
  const channel = await addChannel(bench, { tokens: { accessToken: 'access-0', refreshToken: 'refresh-0' } })
  return { endpoint, bench, channel }
}

async function storedRefreshToken({ grants }: Workbench, channel: Channel): Promise<string> {
  return (await grants.open(ownerOf(channel), await grants.read(ownerOf(channel)))).refreshToken
}

test(`${workers} workers at an ended token: one call for each expiry, and all get the token`, async () => {
  const { endpoint, bench, channel } = await setUp()
  const brokers = Array.from({ length: workers }, () => newWorker(bench))
  for (let expiry = 1; expiry <= 3; expiry++) {
    bench.clock.advance(61 * minuteMs)
    const tokens = await Promise.all(brokers.map(broker => broker.accessToken(channel)))
    expect(new Set(tokens)).toEqual(new Set([`access-${expiry}`]))
    expect(endpoint.requests).toHaveLength(expiry)
  }
  expect(endpoint.redeems(await storedRefreshToken(bench, channel))).toBe(true)
})

test(`${workers} workers at a token that is refreshed ahead: nobody waits for the one that refreshes`, async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(55 * minuteMs)
  const refreshing = Promise.withResolvers<void>()
  const others = Promise.withResolvers<void>()
  endpoint.beforeAnswer = () => {
    refreshing.resolve()
    return others.promise
  }
  const first = newWorker(bench).accessToken(channel)
  await refreshing.promise
  const rest = Array.from({ length: workers - 1 }, () => newWorker(bench).accessToken(channel))
  expect(new Set(await Promise.all(rest))).toEqual(new Set(['access-0']))
  others.resolve()
  expect(await first).toBe('access-1')
  expect(endpoint.requests).toHaveLength(1)
})

class ProcessDied extends Error {}

/** Ends the process at its n-th call of a table: before the call, or after it was done. */
function mortal(dieAt: number, when: 'before' | 'after') {
  let calls = 0
  const wrap = (table: Table): Table =>
    new Proxy(table, {
      get(target, name) {
        const method = Reflect.get(target, name)
        return async (...args: unknown[]) => {
          calls += 1
          if (calls > dieAt || (calls === dieAt && when === 'before')) throw new ProcessDied()
          const answer = await Reflect.apply(method, target, args)
          if (calls >= dieAt) throw new ProcessDied()
          return answer
        }
      },
    })
  return { wrap, hasDied: () => calls >= dieAt }
}

/** Kills a worker at its n-th step, for every n, and looks what the next worker makes of it. */
async function eachDeath(
  endpointIs: { keepsOld: boolean },
  look: (after: Awaited<ReturnType<typeof setUp>> & { next: Promise<string> }) => Promise<void>,
): Promise<number> {
  let deaths = 0
  for (const when of ['before', 'after'] as const) {
    for (let dieAt = 1; ; dieAt++) {
      const all = await setUp()
      const { endpoint, bench, channel } = all
      endpoint.keepsOld = endpointIs.keepsOld
      bench.clock.advance(61 * minuteMs)
      const { wrap, hasDied } = mortal(dieAt, when)
      // A dying worker tries its save for 20 seconds: they pass at once.
      const hurried = { ...bench, now: () => bench.now() + (hasDied() ? minuteMs : 0) }
      const token = await newWorker(hurried, wrap)
        .accessToken(channel)
        .catch(() => undefined)
      if (!hasDied()) {
        expect(token).toBe('access-1')
        break
      }
      deaths += 1
      // Its lease runs out.
      bench.clock.advance(minuteMs)
      const next = newWorker(bench).accessToken(channel)
      await look({ ...all, next })
      await endpoint.close()
    }
  }
  return deaths
}

test('where old refresh tokens live on (Microsoft), a worker may die at any step: the next one goes on', async () => {
  const deaths = await eachDeath({ keepsOld: true }, async ({ endpoint, bench, channel, next }) => {
    expect(await next).toBe(`access-${endpoint.requests.length}`)
    expect(endpoint.redeems(await storedRefreshToken(bench, channel))).toBe(true)
  })
  expect(deaths).toBeGreaterThan(10)
})

test('where a refresh token works once, only a death between the answer and its save costs the grant', async () => {
  let lost = 0
  const deaths = await eachDeath({ keepsOld: false }, async ({ endpoint, bench, channel, next }) => {
    const issuedBefore = endpoint.requests.length
    const outcome = await next.catch(error => error.code)
    if (outcome === 'grant_revoked') {
      lost += 1
      expect(issuedBefore).toBe(1)
    } else {
      expect(outcome).toBe(`access-${endpoint.requests.length}`)
      expect(endpoint.redeems(await storedRefreshToken(bench, channel))).toBe(true)
    }
  })
  expect(lost).toBe(1)
  expect(deaths).toBeGreaterThan(10)
})

test('an answer that is lost after it was issued: the next refresh goes on where old tokens live on', async () => {
  const { endpoint, bench, channel } = await setUp()
  endpoint.keepsOld = true
  bench.clock.advance(61 * minuteMs)
  endpoint.script.push('lose')
  const error = await thrownBy(() => newWorker(bench).accessToken(channel))
  expect(error.code).toBe('provider_unreachable')
  expect(await newWorker(bench).accessToken(channel)).toBe('access-2')
  expect(await storedRefreshToken(bench, channel)).toBe('refresh-2')
})

test('an answer that is lost after it was issued: where a token works once, the grant is over, and says so', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  endpoint.script.push('lose')
  expect((await thrownBy(() => newWorker(bench).accessToken(channel))).code).toBe('provider_unreachable')
  expect((await thrownBy(() => newWorker(bench).accessToken(channel))).code).toBe('grant_revoked')
})

test('a reconnect while a refresh is under way: the new grant is untouched, and used from then on', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  let reconnected: Channel | undefined
  endpoint.beforeAnswer = async () => {
    endpoint.beforeAnswer = async () => undefined
    const grantId = 'gr_after_reconnect'
    await bench.grants.create(
      { ...ownerOf(channel), grantId },
      {
        accessToken: 'access-new',
        refreshToken: 'refresh-new',
        idToken: null,
        expiresInMs: 3600_000,
        scope: null,
      },
    )
    reconnected = await bench.channels.change(channel.id, { grantId })
  }
  expect(await newWorker(bench).accessToken(channel)).toBe('access-1')
  if (!reconnected) throw new Error('not reconnected')
  expect(await newWorker(bench).accessToken(reconnected)).toBe('access-new')
  expect(await storedRefreshToken(bench, reconnected)).toBe('refresh-new')
  expect(endpoint.requests).toHaveLength(1)
})

test('a grant that is forgotten while it is refreshed stays forgotten', async () => {
  const { endpoint, bench, channel } = await setUp()
  bench.clock.advance(61 * minuteMs)
  endpoint.beforeAnswer = () => bench.grants.remove(ownerOf(channel))
  expect((await thrownBy(() => newWorker(bench).accessToken(channel))).code).toBe('secret_unreadable')
  expect((await thrownBy(() => bench.grants.read(ownerOf(channel)))).code).toBe('secret_unreadable')
})
