/**
 * A process of its own that is one cold start: it loads a function's bundle, calls its handler once, and prints when
 * it began, the milliseconds of both and the resident memory after them. What goes wrong in the handler ends it.
 */

import { pathToFileURL } from 'node:url'

const [file = '', event = '{}'] = process.argv.slice(2)
const begun = performance.now()
const { handler } = await import(pathToFileURL(file).href)
const loaded = performance.now()
await handler(JSON.parse(event), { getRemainingTimeInMillis: () => 60_000 })
const answered = performance.now()

console.log(
  JSON.stringify({
    begunAtMs: performance.timeOrigin + begun,
    initMs: loaded - begun,
    firstMs: answered - loaded,
    residentMebibytes: process.memoryUsage.rss() / 2 ** 20,
  }),
)
