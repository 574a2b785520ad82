/** EventBridge Scheduler: fires a function at a fixed rate. */

import { randomUUID } from 'node:crypto'
import { parseJson } from './json-shape.ts'
import { account, region } from './template.ts'

export interface ScheduleOptions {
  intervalMs: number
  /** JSON that the target names as its input; absent means the scheduler's own event. */
  input?: string
  arn: string
  now(): number
  /** May take longer than the interval: firings overlap, as on AWS. */
  fire(event: unknown): void
}

const unitMs: Record<string, number | undefined> = { minute: 60_000, hour: 3_600_000, day: 86_400_000 }

/**
 * Reads `rate(1 minute)`, `rate(5 minutes)`, `rate(1 hour)` and the like.
 * @returns milliseconds; undefined for anything else, such as cron(…)
 */
export function parseRate(expression: string): number | undefined {
  const [, count, unit] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression.trim()) ?? []
  const length = unit === undefined ? undefined : unitMs[unit]
  return length === undefined || Number(count) < 1 ? undefined : Number(count) * length
}

/**
 * Fires at once, so that a fresh start need not wait, and then at each full interval of the wall clock. What a sleeping
 * laptop missed is not made up for. A failed firing is not repeated; on AWS the target's retry policy decides.
 * @returns stops the clock
 */
export function startSchedule(options: ScheduleOptions): () => void {
  const { intervalMs, now, fire } = options
  let timer = setTimeout(tick, 0, now())

  function tick(scheduledMs: number): void {
    fire(eventFor(scheduledMs, options))
    const nextMs = (Math.floor(now() / intervalMs) + 1) * intervalMs
    timer = setTimeout(tick, nextMs - now(), nextMs)
  }

  return () => clearTimeout(timer)
}

/** @see https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html */
function eventFor(scheduledMs: number, { input, arn }: ScheduleOptions): unknown {
  if (input !== undefined) return parseJson(input) ?? input
  return {
    version: '0',
    id: randomUUID(),
    'detail-type': 'Scheduled Event',
    source: 'aws.scheduler',
    account,
    // To the second, without milliseconds.
    time: `${new Date(scheduledMs).toISOString().slice(0, 19)}Z`,
    region,
    resources: [arn],
    detail: '{}',
  }
}
