/** `npm run scale`: simulates up to a million mailboxes, and writes what it saw, the page and the picture beside infra/. */

import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { renderScale } from '../../infra/scale/page.ts'
import { drawScale } from '../../infra/scale/picture.ts'
import type { RecordedRun } from '../../infra/scale/recorded.ts'
import { recordedOf } from '../support/recorded-scale.ts'
import { simulate } from '../support/simulated-minutes.ts'
import { setting } from './simulate.ts'

/** In three sizes, so that it shows what grows with them. */
const sizes = [10_000, 100_000, 1_000_000]

const runs: RecordedRun[] = []
for (const mailboxes of sizes) {
  const progress = (line: string) => console.log(`  … ${mailboxes} mailboxes, ${line}`)
  runs.push(recordedOf({ mailboxes, ...setting }, await simulate({ mailboxes, ...setting, progress })))
}

const files = {
  'scale/recorded.json': `${JSON.stringify(runs, null, 2)}\n`,
  'scale.md': renderScale(runs),
  'scale.svg': drawScale(runs),
}
for (const [file, text] of Object.entries(files)) {
  await writeFile(fileURLToPath(new URL(`../../infra/${file}`, import.meta.url)), text)
  console.log(`infra/${file}`)
}
