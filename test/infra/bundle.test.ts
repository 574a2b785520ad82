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
  ['Connect', 455],
  ['Api', 446],
  ['Send', 497],
  ['Fetch', 506],
  ['Schedule', 440],
  ['NotifyWebhooks', 451],
])('a cold start of %s reads at most %d KB of code', async (name, most) => {
  const { bytes } = await sizeAtStart(deployed.find(one => one.name === name)?.file ?? '')
  expect(bytes).toBeGreaterThan(100_000)
  expect(bytes / 1000).toBeLessThanOrEqual(most)
})

test.each(deployed.map(({ name, file }) => [name, file]))(
  'each file of %s has a source map, which names our sources from their own folder',
  async (_name, file) => {
    const files = await readdir(dirname(file))
    const code = files.filter(one => one.endsWith('.mjs'))
    expect(code.filter(one => !files.includes(`${one}.map`))).toEqual([])
    const maps = await Promise.all(code.map(one => readFile(join(dirname(file), `${one}.map`), 'utf8')))
    expect(maps.flatMap(map => JSON.parse(map).sources)).toContain('../channel/table.ts')
  },
)
