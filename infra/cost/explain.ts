/** What a total is composed of, and which of the assumptions in it matter. */

import type { FunctionFolder } from '../privileges.ts'
import { type Assumed, type AssumptionName, assumptionNames } from './assumptions.ts'
import { costOf } from './cost.ts'
import { type Duration, durationOf, secondsOf } from './durations.ts'
import type { Load } from './month.ts'
import type { Work } from './units.ts'

/** Where each thing is done. What is left out costs AWS's units and hardly any time. */
const doneBy = {
  idlePoll: 'fetch',
  receivedMail: 'fetch',
  refresh: 'fetch',
  acceptedMail: 'api',
  sentMail: 'send',
  event: 'notify',
  minute: 'schedule',
} as const satisfies Partial<Record<Work, FunctionFolder>>

export interface ComposedDuration extends Duration {
  work: string
  folder: FunctionFolder
  ms: number
}

/** One row for each thing, and one for a full batch of polls. */
export function durations(assumed: Assumed, mailboxesOfBatch: number): ComposedDuration[] {
  const rows = Object.entries(doneBy).map(([work, folder]) => {
    const duration = durationOf(work as Work, folder, assumed)
    return { work, folder, ...duration, ms: secondsOf(duration) * 1000 }
  })
  const one = durationOf('idlePoll', 'fetch', assumed)
  const together = { ...one, cpuMs: one.cpuMs * mailboxesOfBatch }
  const work = `batch of ${mailboxesOfBatch} idle polls`
  return [{ work, folder: 'fetch', ...together, ms: secondsOf(together) * 1000 }, ...rows]
}

export interface Weight {
  name: AssumptionName
  /** By how much the total changes, at list prices, where the assumption is half and where it is twice as large. */
  usdWhenHalved: number
  usdWhenDoubled: number
}

/** Those that move the total most come first. */
export function weights(load: Load, assumed: Assumed): Weight[] {
  const { usd } = costOf(load, assumed)
  const change = (name: AssumptionName, factor: number) =>
    costOf(load, { ...assumed, [name]: assumed[name] * factor }).usd - usd
  return assumptionNames
    .map(name => ({ name, usdWhenHalved: change(name, 0.5), usdWhenDoubled: change(name, 2) }))
    .toSorted((one, other) => weightOf(other) - weightOf(one))
}

function weightOf({ usdWhenHalved, usdWhenDoubled }: Weight): number {
  return Math.max(Math.abs(usdWhenHalved), Math.abs(usdWhenDoubled))
}
