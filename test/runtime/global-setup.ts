/** Once per run: says in one line what must be installed; on CI that is a failure, elsewhere the tests are skipped. */

import { missingClient } from './client.ts'

export function setup(): void {
  if (missingClient === null) return
  const line = `${missingClient} As root, .ci/install-runtime-client installs it.`
  if (process.env.CI === 'true') {
    console.error(line)
    // An error would bury the line under a stack.
    process.exit(1)
  }
  console.log(`${line} What needs it is skipped.`)
}
