/** What the deployed code is made of: how much a cold start reads, and that a stack trace leads to our sources. */

import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { deployedFunctions, sizeAtStart } from '../bench/cold-start.ts'

const deployed = await deployedFunctions('http://127.0.0.1:1')

/**
 * Kilobytes. Whoever needs more has first to find what of it the first call does not need: `npm run bench -- cold`
 * says what it costs. Before parts were loaded when needed, `send` and `fetch` read 2,500.
 */
test.each([
  ['Connect', 373],
  ['Api', 357],
  ['Send', 400],
  ['Fetch', 410],
  ['Schedule', 346],
  ['NotifyWebhooks', 355],
])('a cold start of %s reads at most %d KB of code', async (name, most) => {
  const { bytes } = await sizeAtStart(deployed.find(one => one.name === name)?.file ?? '')
  expect(bytes).toBeGreaterThan(100_000)
  expect(bytes / 1000).toBeLessThanOrEqual(most)
})

test.each(deployed.map(({ name, file }) => [name, file]))(
  'a cold start of %s reads its code in one file, and at most one more that a worker has in common with it',
  async (_name, file) => {
    const { files } = await sizeAtStart(file)
    const workers = (await readdir(dirname(file))).filter(one => one.endsWith('-worker.mjs'))
    expect(files).toBe(1 + workers.length)
  },
)

test.each(deployed.map(({ name, file }) => [name, file]))(
  'each file of %s has a source map, which names our sources from their own folder',
  async (_name, file) => {
    const files = await readdir(dirname(file))
    const scripts = files.filter(one => one.endsWith('.mjs'))
    const texts = await Promise.all(scripts.map(one => readFile(join(dirname(file), one), 'utf8')))
    // Some only say under which names something stands in another.
    const code = scripts.filter((_, index) => !/^export \{[^}]*\} from '[^']*'$/.test(texts[index] ?? ''))
    expect(code.filter(one => !files.includes(`${one}.map`))).toEqual([])
    const maps = await Promise.all(code.map(one => readFile(join(dirname(file), `${one}.map`), 'utf8')))
    expect(maps.flatMap(map => JSON.parse(map).sources)).toContain('../channel/table.ts')
  },
)
