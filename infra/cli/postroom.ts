/** The operator's command line: `npm run postroom -- COMMAND`; `help` says all there is, exit codes included. */

import { runCommandLine } from './command-line.ts'

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort())

// Whoever reads along has had enough, as `head` does: no trouble, and nothing is left to be said.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

process.exitCode = await runCommandLine(process.argv.slice(2), {
  streams: process,
  environment: process.env,
  signal: interruption.signal,
  now: Date.now,
})
