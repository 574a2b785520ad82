/** The walk over all channels: each once a day at most, a page a minute, none left out by a crash. */

import { beforeEach, expect, test } from 'vitest'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { type ScheduleServices, schedule } from '../../functions/schedule/schedule.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench, recordQueues, type Workbench, writesIn } from '../support/workbench.ts'

const engines = useEngines()
const hourMs = 3600_000

let bench: Workbench
beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
})

/** One firing of `schedule`. */
async function fire(queues: ScheduleServices['queues'] = recordQueues()) {
  await schedule({ ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench), queues })
}

async function addChannels(count: number): Promise<string[]> {
  const channels = await Promise.all(Array.from({ length: count }, () => addChannel(bench)))
  return channels.map(({ id }) => id).sort()
}

test('all channels are looked at once a day, in pages of a hundred, one a firing', async () => {
  const ids = await addChannels(230)
  const queues = recordQueues()
  for (let firing = 0; firing < 5; firing++) await fire(queues)
  expect(queues.keptAlive.map(page => page.length)).toEqual([100, 100, 30])
  expect(queues.keptAlive.flat().sort()).toEqual(ids)
  bench.clock.advance(23 * hourMs)
  await fire(queues)
  expect(queues.keptAlive).toHaveLength(3)
  bench.clock.advance(2 * hourMs)
  await fire(queues)
  expect(queues.keptAlive).toHaveLength(4)
})

test('a firing after the walk is through writes nothing for it', async () => {
  await addChannels(1)
  await fire()
  // The minute's own mark is written once a minute; two firings in one write nothing at all.
  await fire()
  const before = writesIn(bench.stores)
  await fire()
  expect(writesIn(bench.stores)).toBe(before)
})

test('a page that could not be queued comes again', async () => {
  const ids = await addChannels(2)
  const down = { ...recordQueues(), keepAlive: () => Promise.reject(new Error('SQS is down')) }
  await expect(fire(down)).rejects.toThrow('SQS is down')
  const queues = recordQueues()
  await fire(queues)
  expect(queues.keptAlive.flat().sort()).toEqual(ids)
})

test('the OAuth apps are checked once a day, also where there is no channel yet', async () => {
  const queues = recordQueues()
  await fire(queues)
  await fire(queues)
  expect(queues.appChecks).toBe(1)
  bench.clock.advance(25 * hourMs)
  await fire(queues)
  expect(queues.appChecks).toBe(2)
})
