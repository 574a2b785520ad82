/** `npm run bench -- [NAME …] [--scale SHARE] [--json FILE]`: each benchmark by its name, against floors and peers measured in the same run. */

import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { type Benchmark, type Figure, rounded } from './figures.ts'

/** Loaded when asked for: each brings servers and libraries of its own. */
const benchmarks: Record<string, () => Promise<Benchmark>> = {
  cost: async () => (await import('./cost.ts')).costing,
  cold: async () => (await import('./cold.ts')).cold,
  fetch: async () => (await import('./fetch.ts')).fetching,
  send: async () => (await import('./send.ts')).sending,
  simulate: async () => (await import('./simulate.ts')).simulating,
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'string' }, scale: { type: 'string', default: '0.1' } },
})
const names = positionals.length > 0 ? positionals : Object.keys(benchmarks)
const unknown = names.filter(name => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  console.error(
    `There is no benchmark ${unknown.join(', ')}. There are: ${Object.keys(benchmarks).join(', ')}`,
  )
  process.exit(2)
}

const scale = Number(values.scale)
if (!(scale > 0)) {
  console.error(`--scale is the share of the work to do, such as 0.1; not ${values.scale}`)
  process.exit(2)
}

const results: Record<string, Figure[]> = {}
for (const name of names) {
  const benchmark = await benchmarks[name]?.()
  if (!benchmark) continue
  console.log(`\n${name}: ${benchmark.title}`)
  const figures = await benchmark.run(line => console.log(`  … ${line}`), scale)
  for (const figure of figures) console.log(`  ${lineOf(figure)}`)
  results[name] = figures
}
if (values.json) await writeFile(values.json, `${JSON.stringify(results, null, 2)}\n`)

function lineOf({ what, value, unit, atMost }: Figure): string {
  const target =
    atMost === undefined ? '' : value <= atMost ? ` (met: at most ${atMost})` : ` (MISSED: at most ${atMost})`
  return `${what.padEnd(70)} ${String(rounded(value)).padStart(8)} ${unit}${target}`
}
