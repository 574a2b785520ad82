/** The calculation, its page and its command say the same, and what they rest on is as the code has it. */

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { assumed } from '../../infra/cost/assumptions.ts'
import { atRest } from '../../infra/cost/at-rest.ts'
import { costOf } from '../../infra/cost/cost.ts'
import { durationOf, secondsOfFetch } from '../../infra/cost/durations.ts'
import { weights } from '../../infra/cost/explain.ts'
import { renderCost } from '../../infra/cost/page.ts'
import { renderPicture } from '../../infra/cost/picture.ts'
import { priceOf } from '../../infra/cost/prices.ts'
import { runCli } from '../support/running-cli.ts'

const quiet = { sentPerDay: 0, receivedPerDay: 0 }

test('cost.md is made from the calculation as it is now', async () => {
  const remedy = 'cost.md is stale: run npm test -- test/infra/cost.test.ts -u, and commit it'
  const page = fileURLToPath(new URL('../../infra/cost.md', import.meta.url))
  await expect(renderCost(), remedy).toMatchFileSnapshot(page)
})

test('cost.svg shows the calculation as it is now', async () => {
  const remedy = 'cost.svg is stale: run npm test -- test/infra/cost.test.ts -u, and commit it'
  const picture = fileURLToPath(new URL('../../infra/cost.svg', import.meta.url))
  await expect(renderPicture(), remedy).toMatchFileSnapshot(picture)
})

test('the README tells what the calculation says, in whole dollars', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const of = (mailboxes: number) =>
    Math.round(costOf({ mailboxes, intervalMinutes: 5, sentPerDay: 5, receivedPerDay: 10 }).usd)
  const [usd, free] = [Math.round(atRest.usd), Math.round(atRest.usdAfterFreeTier)]
  const text = readme.replace(/\s+/g, ' ')
  expect(text).toContain(`1,000 mailboxes are about $${of(1_000)} a month, 10,000 about $${of(10_000)}.`)
  expect(text).toContain(`One at rest is $${usd}, or $${free} where the account's free tier is left`)
  expect(text).toContain(`costs $${free} to $${usd} a month at rest`)
})

test('an idle mailbox at five minutes costs little more than one cent at list prices, and less than one where data out is free', () => {
  const cost = (mailboxes: number) => costOf({ mailboxes, intervalMinutes: 5, ...quiet })
  const at = (mailboxes: number) => cost(mailboxes).usd
  const free = (cost(1_500).usdAfterFreeTier - cost(1_000).usdAfterFreeTier) / 500
  expect(free).toBeLessThan(0.01)
  expect((at(101_000) - at(1_000)) / 100_000).toBeLessThan(0.014)
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

test('what is sold by tiers costs less behind each of them, and what is free comes first', () => {
  const terabyte = 1_000_000_000_000
  expect(priceOf('egressBytes', 10 * terabyte, false)).toBeCloseTo(900)
  expect(priceOf('egressBytes', 20 * terabyte, false)).toBeCloseTo(900 + 850)
  expect(priceOf('egressBytes', 160 * terabyte, false)).toBeCloseTo(900 + 3_400 + 7_000 + 500)
  expect(priceOf('egressBytes', 20 * terabyte, true)).toBeCloseTo(900 - 9 + 850)
  expect(priceOf('egressBytes', 99_000_000_000, true)).toBe(0)
})

test('metrics cost for the hours in which they are sent: a mailbox without mail sends those of mail never', () => {
  const metrics = (sentPerDay: number, mailboxes = 1) => {
    const { lines } = costOf({ mailboxes, intervalMinutes: 60, sentPerDay, receivedPerDay: sentPerDay })
    return lines.find(({ name }) => name === 'customMetrics')?.quantity
  }
  // Three of every minute and PollsDone always; a tenth of seven of trouble.
  expect(metrics(0)).toBeCloseTo(4 + 0.7)
  expect(metrics(10, 1_000)).toBeCloseTo(8 + 0.7)
})

test('mailboxes of a batch wait together, and compute one after the other', () => {
  const rare = { readTime: 0, receivedMail: 0, refresh: 0 }
  const ofBatch = (mailboxesPerBatch: number) =>
    secondsOfFetch({ ...rare, batches: 1, mailboxesPerBatch, idlePoll: mailboxesPerBatch }, assumed)
  const { providerMs, awsMs, cpuMs } = durationOf('idlePoll', 'fetch', assumed)
  expect(ofBatch(1) * 1000).toBeCloseTo(providerMs + awsMs + cpuMs)
  expect((ofBatch(50) - ofBatch(1)) * 1000).toBeCloseTo(49 * cpuMs)
})

test('half the memory is half the CPU, and the waits stay as they are', () => {
  const [schedule, send] = [
    durationOf('sentMail', 'schedule', assumed),
    durationOf('sentMail', 'send', assumed),
  ]
  expect(schedule.cpuMs).toBeCloseTo(send.cpuMs * 2)
  expect({ ...schedule, cpuMs: 0 }).toEqual({ ...send, cpuMs: 0 })
})

test('every assumption moves the total, and those that move it most come first', () => {
  const load = { mailboxes: 1_000, intervalMinutes: 5, sentPerDay: 5, receivedPerDay: 10 }
  const changes = weights(load, assumed).map(({ usdWhenHalved, usdWhenDoubled }) =>
    Math.max(Math.abs(usdWhenHalved), Math.abs(usdWhenDoubled)),
  )
  expect(changes).toEqual(changes.toSorted((one, other) => other - one))
  expect(changes.at(-1)).toBeGreaterThan(0)
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

  test('explains what the total is composed of, and what is assumed in it', async () => {
    const { stdout } = await runCli([...words, '--explain', '--assume', 'providerRttMs=20'])
    expect(stdout).toMatch(/\nfetch: batch of 50 idle polls +650 ms +24 ms +[\d,]+ ms/)
    expect(stdout).toMatch(/\nsnsPublishes +450,000 +\$0\.2250\n/)
    expect(stdout).toMatch(/\nwhat moves the total most +half of it +twice as much\n/)
    expect(stdout).toMatch(/\nproviderRttMs +20 +Network time/)
  })

  test('takes another assumption instead', async () => {
    const totalOf = async (more: string[]) =>
      JSON.parse((await runCli([...words, ...more, '--json'])).stdout).usd
    expect(await totalOf(['--assume', 'signInMs=5000'])).toBeGreaterThan(await totalOf([]))
  })

  test.each([
    [['--assume', 'speed=3'], '--assume must be NAME=NUMBER, with NAME one of providerRttMs, '],
    [['--assume', 'signInMs'], '--assume signInMs must be a number from 0 to 10000000; found: '],
    [['--interval', '7m'], '--interval must be one of 1m, 5m, 15m, 60m; found: 7m'],
    [['--mailboxes', '0'], '--mailboxes must be a number from 1 to 10000000; found: 0'],
    [['--sent-per-day', '-1'], '--sent-per-day'],
  ])('%j is refused', async (more, says) => {
    const { stderr, code } = await runCli(['cost', ...more])
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)])
  })
})
