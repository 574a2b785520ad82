/** What is tested logs as it does on Lambda; a test's own lines are shown only if it fails. */

import { beforeEach } from 'vitest'

const linesShown = 100
const write = process.stdout.write.bind(process.stdout)
let lines: string[] = []

process.stdout.write = ((...given: Parameters<typeof write>) => {
  const [text] = given
  if (typeof text !== 'string' || !text.startsWith('{"timestamp":')) return write(...given)
  lines = [...lines.slice(1 - linesShown), text]
  return true
}) as typeof write

beforeEach(({ onTestFailed }) => {
  lines = []
  onTestFailed(() => {
    for (const line of lines) write(line)
  })
})
