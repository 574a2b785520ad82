/** Simulated time: it stands still while anybody works, and goes on to the next waking once all are asleep. */

import { setImmediate as turn } from 'node:timers/promises'

export interface VirtualClock {
  /** Epoch milliseconds. */
  now(): number
  sleep(ms: number): Promise<void>
  /** Lets time pass until the work is done. @throws Error if it waits for something that is not time */
  pass<T>(work: Promise<T>): Promise<T>
}

/** What is done in memory between two sleeps is over after so many turns of the event loop. */
const turnsOfWork = 5

export function openVirtualClock(startMs = Date.parse('2026-11-26T08:00:00.000Z')): VirtualClock {
  let nowMs = startMs
  let alarms: { atMs: number; wake(): void }[] = []
  return {
    now: () => nowMs,
    sleep: ms => new Promise(wake => alarms.push({ atMs: nowMs + ms, wake })),

    async pass(work) {
      let isDone = false
      work.then(
        () => (isDone = true),
        () => (isDone = true),
      )
      for (;;) {
        for (let turns = 0; turns < turnsOfWork; turns++) await turn()
        if (isDone) return work
        nowMs = Math.min(...alarms.map(({ atMs }) => atMs))
        const ringing = alarms.filter(({ atMs }) => atMs <= nowMs)
        if (ringing.length === 0) throw new Error('The work waits, and nobody sleeps')
        alarms = alarms.filter(({ atMs }) => atMs > nowMs)
        for (const { wake } of ringing) wake()
      }
    },
  }
}
