/** Where AWS's runtime client for Node.js is: what Lambda itself starts, and what loads and calls a function there. */

import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** As .ci/install-runtime-client has it. */
const folder = process.env.POSTROOM_RUNTIME_CLIENT ?? join(homedir(), '.cache', 'postroom', 'runtime-client')
const installed = join(folder, 'node_modules', 'aws-lambda-ric')

export const clientProgram = join(installed, 'index.mjs')

/** A reason why no function can be run under it here, for a person; null if they can. */
export const missingClient = existsSync(join(installed, 'rapid-client.node'))
  ? null
  : `AWS's runtime client is not in ${folder}.`
