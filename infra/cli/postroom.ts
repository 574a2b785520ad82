/** The operator's command line: `npm run postroom -- COMMAND`; `help` says all there is, exit codes included. */

import { runCommandLine } from './command-line.ts'

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort())

process.exitCode = await runCommandLine(process.argv.slice(2), {
  streams: process,
  environment: process.env,
  signal: interruption.signal,
  now: Date.now,
})
