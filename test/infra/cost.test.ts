/** The calculation, its page and its command say the same, and what they rest on is as the code has it. */

import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { metricUnits } from '../../functions/channel/metrics.ts'
import { costOf, customMetrics } from '../../infra/cost/cost.ts'
import { renderCost } from '../../infra/cost/page.ts'
import { runCli } from '../support/running-cli.ts'

const quiet = { sentPerDay: 0, receivedPerDay: 0 }

test('cost.md is made from the calculation as it is now', async () => {
  const remedy = 'cost.md is stale: run npm test -- test/infra/cost.test.ts -u, and commit it'
  const page = fileURLToPath(new URL('../../infra/cost.md', import.meta.url))
  await expect(renderCost(), remedy).toMatchFileSnapshot(page)
})

test('as many metrics are counted as the functions write', () => {
  expect(customMetrics).toBe(Object.keys(metricUnits).length)
})

test('an idle mailbox at five minutes costs about one cent more at list prices, and less where data out is free', () => {
  const cost = (mailboxes: number) => costOf({ mailboxes, intervalMinutes: 5, ...quiet })
  const at = (mailboxes: number) => cost(mailboxes).usd
  const free = (cost(1_500).usdAfterFreeTier - cost(1_000).usdAfterFreeTier) / 500
  expect(free).toBeLessThan(0.01)
  expect((at(101_000) - at(1_000)) / 100_000).toBeLessThan(0.012)
})

test('polls cost by their number: five times as often, about five times as much', () => {
  const at = (intervalMinutes: number) => costOf({ mailboxes: 100_000, intervalMinutes, ...quiet }).usd
  expect(at(1) / at(5)).toBeGreaterThan(3.5)
  expect(at(1) / at(5)).toBeLessThan(5)
})

test('the free tier never makes anything dearer, and never cheaper than nothing', () => {
  for (const { usd, usdAfterFreeTier } of costOf({ mailboxes: 10, intervalMinutes: 1, ...quiet }).lines) {
    expect(usdAfterFreeTier).toBeLessThanOrEqual(usd)
    expect(usdAfterFreeTier).toBeGreaterThanOrEqual(0)
  }
})

describe('the command', () => {
  const words = ['cost', '--mailboxes', '1000', '--interval', '5m']

  test('prints a table a person can read, with the total and for each mailbox', async () => {
    const { stdout, code } = await runCli(words)
    expect(code).toBe(0)
    expect(stdout).toMatch(/^service +list price +with free tier\n/)
    expect(stdout).toMatch(/\nfor each mailbox +\$0\.\d{4}/)
  })

  test('tells a program the same', async () => {
    const { stdout } = await runCli([...words, '--sent-per-day', '0', '--received-per-day', '0', '--json'])
    const { usd, mailboxes } = JSON.parse(stdout)
    expect(mailboxes).toBe(1_000)
    expect(usd).toBeCloseTo(costOf({ mailboxes: 1_000, intervalMinutes: 5, ...quiet }).usd, 6)
  })

  test.each([
    [['--interval', '7m'], '--interval must be one of 1m, 5m, 15m, 60m; found: 7m'],
    [['--mailboxes', '0'], '--mailboxes must be a number from 1 to 10000000; found: 0'],
    [['--sent-per-day', '-1'], '--sent-per-day'],
  ])('%j is refused', async (more, says) => {
    const { stderr, code } = await runCli(['cost', ...more])
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)])
  })
})
