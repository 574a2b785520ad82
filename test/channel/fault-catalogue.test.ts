/** The page that lists every fault for people says what the tables say. */

import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { faults } from '../../functions/channel/faults.ts'
import { renderFaultCatalogue } from '../support/fault-catalogue.ts'

const page = fileURLToPath(new URL('../../functions/channel/faults.md', import.meta.url))

test('faults.md is made from the tables as they are now', async () => {
  const remedy = 'faults.md is stale: run npm test -- test/channel/fault-catalogue.test.ts -u, and commit it'
  await expect(renderFaultCatalogue(), remedy).toMatchFileSnapshot(page)
})

test('every fault is on the page, once', () => {
  const lines = renderFaultCatalogue().split('\n')
  for (const code of Object.keys(faults)) {
    expect(lines.filter(line => line.startsWith(`| \`${code}\` |`))).toHaveLength(1)
  }
})
