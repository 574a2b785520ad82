/** infra/scale.md and its picture are made from what was recorded, and what was recorded is what the code still does. */

import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { loadOf } from '../../infra/scale/load.ts'
import { renderScale } from '../../infra/scale/page.ts'
import { drawScale } from '../../infra/scale/picture.ts'
import { heldAgainst, limits } from '../../infra/scale/quotas.ts'
import recorded from '../../infra/scale/recorded.json' with { type: 'json' }
import { type RecordedRun, seriesNames } from '../../infra/scale/recorded.ts'
import { setting } from '../bench/simulate.ts'
import { recordedOf } from '../support/recorded-scale.ts'
import { simulate } from '../support/simulated-minutes.ts'

const runs: RecordedRun[] = recorded
const [smallest, ...larger] = runs
const largest = larger.at(-1)
if (!smallest || !largest) throw new Error('Nothing is recorded: npm run scale')
const beside = (file: string) => fileURLToPath(new URL(`../../infra/${file}`, import.meta.url))
const stale = 'is stale: run npm test -- test/infra/scale.test.ts -u, and commit it'

test('scale.md is made from the recorded run, the counted units and the quotas as they are now', async () => {
  await expect(renderScale(runs), `scale.md ${stale}`).toMatchFileSnapshot(beside('scale.md'))
})

test('scale.svg is drawn from the recorded run', async () => {
  await expect(drawScale(runs), `scale.svg ${stale}`).toMatchFileSnapshot(beside('scale.svg'))
})

test('what was recorded is near what the simulation sees now; if not, run npm run scale', async () => {
  const { mailboxes } = smallest
  const now = recordedOf({ mailboxes, ...setting }, await simulate({ mailboxes, ...setting }))
  const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length
  for (const name of seriesNames) {
    const [then, seen] = [mean(smallest.minutes[name]), mean(now.minutes[name])]
    expect(Math.abs(seen - then), name).toBeLessThanOrEqual(Math.max(1, 0.15 * then))
  }
  expect(now.forgotten).toBe(smallest.forgotten)
})

describe('limits', () => {
  const load = loadOf(largest)
  const held = heldAgainst(load)

  test('a million mailboxes are recorded, none is forgotten and every message is sent', () => {
    expect(runs.map(({ mailboxes }) => mailboxes)).toEqual([10_000, 100_000, 1_000_000])
    expect(runs.map(({ forgotten, unsent }) => forgotten + unsent)).toEqual([0, 0, 0])
  })

  test('each has a page of AWS, or is ours; each says what to do', () => {
    for (const { source, remedy } of limits) {
      if (source) expect(source).toMatch(/^https:\/\/docs\.aws\.amazon\.com\/\S+$/)
      expect(remedy).not.toBe('')
    }
  })

  test('the peak is never less than what is usual, and what is full first comes first', () => {
    for (const { usual, peak, limit } of held) expect(peak, limit.name).toBeGreaterThanOrEqual(usual)
    expect(held.map(({ fullAt }) => fullAt)).toEqual(
      held.map(({ fullAt }) => fullAt).toSorted((a, b) => a - b),
    )
  })

  test('only the call of every minute is the same for any number of mailboxes', () => {
    const fixed = held.filter(({ fullAt }) => fullAt === Number.POSITIVE_INFINITY)
    expect(fixed.map(({ limit }) => limit.name)).toEqual([expect.stringContaining('EventBridge Scheduler')])
  })
})
