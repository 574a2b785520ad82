/** `postroom stack`: from a deployed function's log to the sources. */

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bundleFunction } from '../../infra/bundle.ts'
import { runCli } from '../support/running-cli.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'stack-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** What a bundle logs and throws whose environment is empty. */
async function failureOf(name: 'fetch' | 'api'): Promise<{ log: string; stack: string }> {
  const bundle = join(folder, name)
  bundleFunction(name, bundle)
  const call = `import('file://${bundle}/index.mjs')
    .then(({ handler }) => handler({ Records: [] }, {}))
    .catch(error => console.error(error.stack))`
  const { stdout, stderr } = await promisify(execFile)(process.execPath, ['-e', call], { env: {} })
  return { log: stdout, stack: stderr }
}

/** The lines of our sources that the text names. */
async function sourceLines(text: string): Promise<string[]> {
  const places = [...text.matchAll(/\b(functions\/[\w/-]+\.ts):(\d+):(\d+)/g)]
  return Promise.all(
    places.map(async ([, file = '', line]) => {
      const source = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8')
      return (source.split('\n')[Number(line) - 1] ?? '').trim()
    }),
  )
}

describe.each(['fetch', 'api'] as const)('of %s', name => {
  let failure: Awaited<ReturnType<typeof failureOf>>
  beforeAll(async () => {
    failure = await failureOf(name)
  })

  test('a stack trace leads to the very lines', async () => {
    expect(failure.stack).toContain('index.mjs:')
    const { code, stdout, stderr } = await runCli(['stack', name], { stdin: failure.stack })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).not.toContain('index.mjs')
    const lines = await sourceLines(stdout)
    expect(lines[0]).toBe("throw new PostroomError('configuration_invalid', {")
    expect(lines).toContain('services ??= buildServices()')
  })

  test('so does a line of the log, which stays JSON', async () => {
    const file = join(folder, `${name}.log`)
    const from = '2026-11-26T22:10:00 2026/11/26/[$LATEST]1 '
    const line = { timestamp: '', event: 'x', name: 'Error', at: failure.stack.split('\n')[1]?.trim() }
    await writeFile(file, from + JSON.stringify(line))
    const { code, stdout } = await runCli(['stack', name, file])
    expect(code).toBe(0)
    const { at } = JSON.parse(stdout.slice(from.length))
    expect(at).toMatch(/^at .*functions\/channel\/environment\.ts:\d+:\d+\)?$/)
  })
})

// Regression: the file of Lambda's own client has the name of ours, and was led to whatever line of our sources came last.
test.each([
  'file:///var/runtime/index.mjs:1173:29',
  '/var/runtime/index.mjs:2:3456',
  'file:///x/node_modules/aws-lambda-ric/index.mjs:3:345',
])('%s is not ours, and stays as it is', async place => {
  const stdin = `    at process (${place})`
  const { code, stdout, stderr } = await runCli(['stack', 'fetch'], { stdin })
  expect(code).toBe(1)
  expect(stdout).toBe(`${stdin}\n`)
  expect(stderr).toContain('There is no place in a bundle of fetch')
})

test('a file that another checkout was bundled to is named, and not guessed', async () => {
  const stdin = 'Error: x\n    at a (file:///var/task/imap-flow-ZZZZZZZZ.mjs:2:345)'
  const { code, stdout, stderr } = await runCli(['stack', 'fetch'], { stdin })
  expect(code).toBe(1)
  expect(stdout).toContain('imap-flow-ZZZZZZZZ.mjs:2:345')
  expect(stderr).toContain('fetch of this checkout has no file imap-flow-ZZZZZZZZ.mjs')
})

test('a function that is none is refused, with those that are', async () => {
  const { code, stderr } = await runCli(['stack', 'mail'])
  expect(code).toBe(2)
  expect(stderr).toContain(
    'FUNCTION must be one of api, connect, console, fetch, notify, schedule, send; found: mail',
  )
})
