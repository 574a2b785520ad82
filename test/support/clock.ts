/** A clock that runs with the system's and can be put forward, since no test waits for minutes to pass. */

export interface Clock {
  /** Epoch milliseconds. */
  now(): number
  advance(ms: number): void
}

export function openClock(): Clock {
  let aheadMs = 0
  return {
    now: () => Date.now() + aheadMs,
    advance(ms) {
      aheadMs += ms
    },
  }
}
