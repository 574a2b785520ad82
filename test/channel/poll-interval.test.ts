/** How often a mailbox is polled: sooner after traffic, later in silence, never sooner than a back-off allows. */

import { expect, test } from 'vitest'
import { type Activity, pollInterval } from '../../functions/channel/poll-interval.ts'

const minuteMs = 60_000
const hours = (count: number) => count * 60 * minuteMs
const now = Date.parse('2026-11-24T10:00:00Z')
const ago = (ms: number) => new Date(now - ms).toISOString()

const interval = ({
  hasMore = false,
  baseMinutes = 5,
  ...channel
}: Partial<Activity> & Partial<Activity['channel']>) =>
  pollInterval({
    channel: {
      auth: { state: 'connected', fault: null, since: ago(0) },
      imapTrouble: null,
      connectedAt: ago(hours(10_000)),
      disconnectedAt: null,
      lastFetchedAt: null,
      lastActiveAt: ago(hours(2)),
      nextProbeAt: null,
      ...channel,
    },
    baseMinutes,
    hasMore,
    now,
  })

test.each([
  [1, 10 * minuteMs],
  [5, hours(2)],
  [15, hours(2 * 24)],
  [60, hours(8 * 24)],
])('every %i minutes when the last mail came %i ms ago', (minutes, quietMs) => {
  expect(interval({ lastActiveAt: ago(quietMs) })).toBe(minutes)
})

test.each([
  [1, [1, 1, 5, 15]],
  [15, [5, 15, 60, 60]],
  [60, [15, 60, 60, 60]],
])('a base of %i minutes moves with it', (baseMinutes, expected) => {
  const quiet = [minuteMs, hours(2), hours(48), hours(24 * 8)]
  expect(quiet.map(ms => interval({ baseMinutes, lastActiveAt: ago(ms) }))).toEqual(expected)
})

test('mail that is waiting counts as traffic', () => {
  expect(interval({ hasMore: true, lastActiveAt: ago(hours(24 * 8)) })).toBe(1)
})

test('a mailbox without any mail yet counts from when it was connected', () => {
  expect(interval({ lastActiveAt: undefined, connectedAt: ago(minuteMs) })).toBe(1)
})

test.each([
  [5, 2 * minuteMs],
  [15, 20 * minuteMs],
  [60, hours(5)],
])('every %i minutes while it must back off for %i ms', (minutes, leftMs) => {
  const until = new Date(now + leftMs).toISOString()
  expect(interval({ imapTrouble: { until } })).toBe(minutes)
})

test('what only a person can mend is looked at once an hour, what an administrator may mend sooner', () => {
  const auth = (state: 'reconnect_required' | 'app_fault' | 'blocked_by_admin') => ({
    state,
    fault: null,
    since: ago(0),
  })
  expect(interval({ auth: auth('reconnect_required') })).toBe(60)
  expect(interval({ auth: auth('app_fault') })).toBe(60)
  expect(interval({ auth: auth('blocked_by_admin'), nextProbeAt: ago(0) })).toBe(15)
})
