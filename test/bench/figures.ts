/** What a benchmark reports: figures of one run, each with what it was measured against. */

export interface Figure {
  what: string
  value: number
  /** `ratio`, `count`, `ms`, `MiB`, `per second`. Only ratios and counts are worth comparing between machines. */
  unit: string
  /** The most it should be, where there is a target. */
  atMost?: number
}

export interface Benchmark {
  title: string
  /** @param scale of the usual amount of work, the share to do */
  run(progress: (line: string) => void, scale: number): Promise<Figure[]>
}

/** The middle of several rounds: one slow round says more about the machine than about us. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

export function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
