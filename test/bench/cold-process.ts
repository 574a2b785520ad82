/**
 * A process of its own that is one cold start: it loads a function's bundle, calls its handler once, and prints when
 * it began, the milliseconds of both, their CPU on all threads and the resident memory after them. What goes wrong in the handler ends it.
 */

import { pathToFileURL } from 'node:url'

/** As a Lambda with five minutes would have at its start: `send` begins no mail with much less. */
const remainingMs = 290_000

const [file = '', event = '{}'] = process.argv.slice(2)
const begun = performance.now()
const cpuBefore = process.cpuUsage()
const { handler } = await import(pathToFileURL(file).href)
const loaded = performance.now()
await handler(JSON.parse(event), { getRemainingTimeInMillis: () => remainingMs })
const answered = performance.now()
const { user, system } = process.cpuUsage(cpuBefore)

console.log(
  JSON.stringify({
    begunAtMs: performance.timeOrigin + begun,
    initMs: loaded - begun,
    firstMs: answered - loaded,
    cpuMs: (user + system) / 1000,
    residentMebibytes: process.memoryUsage.rss() / 2 ** 20,
  }),
)
// What it keeps for its next call, connections and a thread that parses, would hold the process.
process.exit()
