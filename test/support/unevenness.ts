/**
 * @param names in the order in which something happens to them
 * @returns by how much any name was, at any moment, ahead of or behind its share of what had happened
 */
export function unevenness(names: unknown[]): number {
  const totals = new Map<unknown, number>()
  for (const name of names) totals.set(name, (totals.get(name) ?? 0) + 1)
  const counts = new Map<unknown, number>()
  let most = 0
  for (const [place, name] of names.entries()) {
    counts.set(name, (counts.get(name) ?? 0) + 1)
    for (const [each, total] of totals) {
      const share = ((place + 1) * total) / names.length
      most = Math.max(most, Math.abs((counts.get(each) ?? 0) - share))
    }
  }
  return most
}
