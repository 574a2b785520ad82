/** The lease: one drain per channel, and no bell unheard. */

import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type Lease, leaseKeys, takeLease } from '../../functions/channel/lease.ts'
import type { Table } from '../../functions/channel/table.ts'
import { useEngines } from '../support/engines.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: {} })
})

async function take(holder: string): Promise<Lease | undefined> {
  const lease = await takeLease(leaseKeys.outbox('ch_1'), holder, bench)
  if (lease) onTestFinished(() => lease.abandon())
  return lease
}

async function taken(holder: string): Promise<Lease> {
  const lease = await take(holder)
  if (!lease) throw new Error(`${holder} did not get the lease`)
  return lease
}

test('only one holds it', async () => {
  const leases = await Promise.all(['a', 'b', 'c', 'd'].map(take))
  expect(leases.filter(lease => lease !== undefined)).toHaveLength(1)
})

test('channels do not share it', async () => {
  await taken('a')
  const other = await takeLease(leaseKeys.outbox('ch_2'), 'b', bench)
  other?.abandon()
  expect(other).toBeDefined()
})

test('once released it is free', async () => {
  const lease = await taken('a')
  expect(await lease.release()).toBe(true)
  expect(await take('b')).toBeDefined()
})

test('who did not get it has rung: the holder must look once more', async () => {
  const lease = await taken('a')
  expect(await take('b')).toBeUndefined()
  expect(await lease.release()).toBe(false)
  expect(await lease.release()).toBe(true)
})

test('many rings are one more look', async () => {
  const lease = await taken('a')
  for (const holder of ['b', 'c', 'd']) expect(await take(holder)).toBeUndefined()
  expect(await lease.release()).toBe(false)
  expect(await lease.release()).toBe(true)
})

test('a bell that rings while the lease is being released is heard by one of the two', async () => {
  for (let round = 0; round < 20; round++) {
    const lease = await taken(`a${round}`)
    const [released, other] = await Promise.all([lease.release(), take(`b${round}`)])
    // Unheard would be: released, and the other went away with nothing.
    expect(released && other === undefined).toBe(false)
    if (other) await other.release()
    else await lease.release()
  }
})

test('a lease that was not renewed goes to the next, and the first can free it no more', async () => {
  const dead = await taken('a')
  bench.clock.advance(61_000)
  const next = await taken('b')
  expect(await dead.release()).toBe(true)
  expect(await take('c')).toBeUndefined()
  expect(await next.release()).toBe(false)
})

test('old rings do not wake a drain that comes after them', async () => {
  const first = await taken('a')
  await take('b')
  await first.release()
  await first.release()
  const second = await taken('c')
  expect(await second.release()).toBe(true)
})

describe('a renewal by the clock', () => {
  /** A table whose renewals take longer than anything else. */
  function slowToRenew(main: Table): Table {
    return {
      ...main,
      async update(key, change, condition) {
        const isRenewal = change.add === undefined && change.set?.untilMs !== 0
        if (isRenewal) for (let turn = 0; turn < 20; turn++) await main.get(key)
        return main.update(key, change, condition)
      },
    }
  }

  async function start() {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const services = { main: slowToRenew(openMemoryTable()), now: Date.now }
    const key = leaseKeys.outbox('ch_1')
    const lease = await takeLease(key, 'a', services)
    if (!lease) throw new Error('Nobody has it')
    return { lease, next: () => takeLease(key, 'b', services) }
  }

  // A drain of ten seconds or more that ended just then left its channel held for another thirty, and mail waited.
  test('that is under way when the lease is released does not take it back', async () => {
    const { lease, next } = await start()
    vi.advanceTimersByTime(10_000)
    expect(await lease.release()).toBe(true)
    await vi.advanceTimersByTimeAsync(100)
    expect(await next()).toBeDefined()
  })

  test('that comes while the lease is being released does not take it back', async () => {
    const { lease, next } = await start()
    const releasing = lease.release()
    vi.advanceTimersByTime(10_000)
    expect(await releasing).toBe(true)
    await vi.advanceTimersByTimeAsync(100)
    expect(await next()).toBeDefined()
  })

  test('goes on after a release that the bell has kept from being one', async () => {
    const { lease, next } = await start()
    expect(await next()).toBeUndefined()
    expect(await lease.release()).toBe(false)
    for (let seconds = 0; seconds < 60; seconds += 10) await vi.advanceTimersByTimeAsync(10_000)
    expect(await next()).toBeUndefined()
  })
})
