/** Ten thousand mailboxes through an hour and a half with an outage in it. A million: `npm run bench -- simulate --scale 1`. */

import { expect, test } from 'vitest'
import { partitionLimits } from '../support/metered-table.ts'
import { simulate } from '../support/simulated-minutes.ts'

const outage = { from: 20, until: 40 }
const run = await simulate({ mailboxes: 10_000, minutes: 90, outage, baseMinutes: 5 })

const most = (from: number, until: number) =>
  Math.max(...run.minutes.slice(from, until).map(({ polls }) => polls))

test('no mailbox is forgotten, whatever moved it', () => {
  expect(run.forgotten).toBe(0)
})

test('a mailbox at rest is polled within its interval and a minute', () => {
  expect(run.lateMs.length).toBeGreaterThan(100_000)
  expect(run.lateMs.at(-1)).toBeLessThanOrEqual(60_000)
})

test('an outage makes polls fewer, and its end no herd', () => {
  const before = most(5, outage.from)
  expect(most(outage.from + 15, outage.until)).toBeLessThan(before)
  expect(most(outage.until, 90)).toBeLessThan(1.25 * before)
})

test('every message that waited for the provider is sent once it is back', () => {
  expect(run.minutes[outage.until - 1]?.waiting).toBeGreaterThan(200)
  expect(run.minutes.at(-1)?.waiting).toBe(0)
  expect(run.messages.sent).toBe(run.messages.accepted)
})

test('no partition is near what DynamoDB gives one', () => {
  expect(run.meter.hottestReads.units).toBeLessThan(partitionLimits.reads / 10)
  expect(run.meter.hottestWrites.units).toBeLessThan(partitionLimits.writes / 10)
})
