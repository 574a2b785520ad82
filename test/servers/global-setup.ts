/** Once per run: says in one line what must be installed; on CI that is a failure, elsewhere the tests are skipped. */

import { missingForMail, missingForStorage } from './installed.ts'

export function setup(): void {
  const missing = [missingForMail, missingForStorage].filter(reason => reason !== null)
  if (missing.length === 0) return
  const line = `Not everything is here: ${missing.join('; ')}. As root, .ci/install-servers installs it.`
  if (process.env.CI === 'true') {
    console.error(line)
    // An error would bury the line under a stack.
    process.exit(1)
  }
  console.log(`${line} What needs it is skipped.`)
}
