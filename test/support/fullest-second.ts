/** How much of what happens falls into one second: what quotas by the second are held against. */

/** @param now simulated, epoch milliseconds; never back beyond where `fullest` was asked last */
export function openRates<Name extends string>(now: () => number) {
  let seconds = new Map<Name, Map<number, number>>()
  return {
    add(what: Name, more: number): void {
      const at = Math.floor(now() / 1000)
      const counts = seconds.get(what) ?? new Map<number, number>()
      seconds.set(what, counts.set(at, (counts.get(at) ?? 0) + more))
    },

    /** @returns of each the most in a second since the last time that it was asked for */
    fullest(names: readonly Name[]): Record<Name, number> {
      const most = names.map(name => [name, Math.max(0, ...(seconds.get(name)?.values() ?? []))])
      seconds = new Map()
      return Object.fromEntries(most)
    },
  }
}
