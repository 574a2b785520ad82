/** Schedules fire at once and then at each full interval of the wall clock. */

import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { parseRate, startSchedule } from '../../infra/local/schedule-clock.ts'
import { runApp } from './hand-made-app.ts'

beforeEach(() => void vi.useFakeTimers({ now: Date.parse('2026-11-24T10:00:40.500Z') }))
afterEach(() => void vi.useRealTimers())

function start(input?: string): { events: unknown[]; stop(): void } {
  const events: unknown[] = []
  const stop = startSchedule({
    intervalMs: 60_000,
    input,
    arn: 'arn:schedule',
    now: Date.now,
    fire: event => events.push(event),
  })
  return { events, stop }
}

test('the first firing comes at once, the next ones at each full minute', () => {
  const { events, stop } = start()
  vi.advanceTimersByTime(1_000)
  expect(events).toMatchObject([
    { time: '2026-11-24T10:00:40Z', source: 'aws.scheduler', resources: ['arn:schedule'] },
  ])
  vi.advanceTimersByTime(2 * 60_000)
  expect(events.map(event => (event as { time: string }).time)).toEqual([
    '2026-11-24T10:00:40Z',
    '2026-11-24T10:01:00Z',
    '2026-11-24T10:02:00Z',
  ])
  stop()
})

test('what was missed while the machine slept is not made up for', () => {
  const { events, stop } = start()
  vi.advanceTimersByTime(1_000)
  vi.setSystemTime(Date.parse('2026-11-24T12:30:10Z'))
  vi.advanceTimersByTime(60_000)
  expect(events).toHaveLength(3)
  stop()
})

test('a target may name its own input', () => {
  const { events, stop } = start('{"mode":"sweep"}')
  vi.advanceTimersByTime(10)
  expect(events).toEqual([{ mode: 'sweep' }])
  stop()
})

test('a stopped schedule fires no more', () => {
  const { events, stop } = start()
  stop()
  vi.advanceTimersByTime(120_000)
  expect(events).toEqual([])
})

test.for([
  ['rate(1 minute)', 60_000],
  ['rate(5 minutes)', 300_000],
  ['rate(2 hours)', 7_200_000],
  ['rate(1 day)', 86_400_000],
  ['rate(0 minutes)', undefined],
  ['cron(0 12 * * ? *)', undefined],
] as const)('%s is %s ms', ([expression, expected]) => {
  expect(parseRate(expression)).toBe(expected)
})

test('a schedule of the template invokes its function within a second of the start', async () => {
  vi.useRealTimers()
  const app = await runApp({
    functions: {
      Tick: { code: 'export async function handler(event) { console.log(JSON.stringify(event)) }' },
    },
    resources: {
      EveryMinute: {
        Type: 'AWS::Scheduler::Schedule',
        Properties: {
          ScheduleExpression: 'rate(1 minute)',
          Target: { Arn: { 'Fn::GetAtt': ['Tick', 'Arn'] } },
        },
      },
    },
  })
  onTestFinished(app.end)
  await expect
    .poll(() => app.lines, { timeout: 1_000 })
    .toContainEqual(expect.objectContaining({ record: expect.objectContaining({ source: 'aws.scheduler' }) }))
})
