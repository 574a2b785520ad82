/**
 * `stack`: deployed functions are minified, and do not read their source maps, which would cost each start 12 ms and 10 MiB.
 * So a stack trace is led to the sources afterwards: the same sources make the same bundle, to the byte.
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BundledFolder } from '../bundle.ts'
import { command, exitCodes, UsageError } from './command.ts'
import { readGiven } from './given-file.ts'
import { sourcePlaces } from './source-places.ts'

const folders = [
  'api',
  'connect',
  'console',
  'fetch',
  'notify',
  'schedule',
  'send',
] as const satisfies BundledFolder[]

export const stackCommand = command({
  name: 'stack',
  words: ['FUNCTION', '[FILE]'],
  says: 'a stack trace from a function’s log, with the places in the sources; asks nobody',
  more: `FUNCTION is one of ${folders.join(', ')}. The log, or a line of it, comes from FILE or else from standard input.
The checkout must be the one that was deployed.`,
  options: {},
  async run({ words, terminal }) {
    const folder = folders.find(name => name === words.FUNCTION.toLowerCase())
    if (!folder)
      throw new UsageError(`FUNCTION must be one of ${folders.join(', ')}; found: ${words.FUNCTION}`)
    const text = words.FILE ? await readGiven(words.FILE) : await terminal.read()
    // Loaded here: it brings a compiler.
    const { bundleFunction } = await import('../bundle.ts')
    const bundleFolder = await mkdtemp(join(tmpdir(), 'postroom-stack-'))
    try {
      bundleFunction(folder, bundleFolder)
      const led = await sourcePlaces(text, { folder: `functions/${folder}`, bundleFolder })
      const { found, unknown } = led
      if (terminal.json) terminal.document(led)
      else for (const line of led.text.trimEnd().split('\n')) terminal.line(line)
      for (const name of unknown)
        terminal.note(`${folder} of this checkout has no file ${name}: check out what was deployed.`)
      if (found === 0) terminal.note(`There is no place in a bundle of ${folder} in this text.`)
      return found > 0 && unknown.length === 0 ? exitCodes.done : exitCodes.notWell
    } finally {
      await rm(bundleFolder, { recursive: true, force: true })
    }
  },
})
