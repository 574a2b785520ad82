/** Follows functions/api/integrate.md to the letter: what the page says to write is written, what it says to run is run. */

import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openPostroom } from '../../functions/api/example-client.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const repository = fileURLToPath(new URL('../..', import.meta.url))

/** The page's code, block by block, with the heading it stands under. */
async function blocksOf(page: string): Promise<{ language: string; code: string }[]> {
  const text = await readFile(join(repository, page), 'utf8')
  return [...text.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({
    language,
    code,
  }))
}

/** A folder as the reader has it: the repository's own, and what the page says to save. */
async function readersFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  for (const name of ['functions', 'node_modules', 'package.json'])
    await symlink(join(repository, name), join(folder, name))
  return folder
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return
  // The whole group: npx is a shell's child, and the app npx's.
  process.kill(-child.pid, 'SIGTERM')
  await once(child, 'exit')
}

test('who follows the page has a mailbox connected and its mail answered', async () => {
  const blocks = await blocksOf('functions/api/integrate.md')
  expect(blocks.map(({ language }) => language)).toEqual(['sh', 'ts', 'sh', 'sh', 'sh'])
  const [start, app, run, confirm, deliver] = blocks.map(({ code }) => code)
  // Both are what this test's own start does, on a free port.
  expect(start).toBe('npm ci\nnpm start\n')

  const folder = await readersFolder()
  await writeFile(join(folder, 'app.ts'), app ?? '')
  await writeFile(join(running.folder, 'api-key'), running.system.apiKey)
  const env = {
    ...process.env,
    POSTROOM_URL: running.system.url,
    POSTROOM_DATA: running.folder,
    SANDBOX_URL: running.system.sandbox?.origin,
  }
  const shell = (script: string, more: object = {}) =>
    promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { cwd: folder, env: { ...env, ...more } })

  let said = ''
  const child = spawn('bash', ['-euo', 'pipefail', '-c', run ?? ''], { cwd: folder, env, detached: true })
  onTestFinished(() => end(child))
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  const says = (what: RegExp) =>
    vi.waitFor(() => expect(said).toMatch(what), { timeout: 90_000, interval: 100 })

  await says(/^Open http\S+$/m)
  const [, link = '', session = ''] = /^Open (http\S+\/(cs_\w+)\.\S+)$/m.exec(said) ?? []
  await newPerson().connect(link, 'grace')
  await shell(confirm ?? '', { SESSION: session })
  await says(/^channel\.connected$/m)
  await shell(deliver ?? '')
  await says(/^message\.received$[\s\S]*^message\.sent$/m)

  const { messages } = await running.sandbox('/outside')
  expect(messages.at(-1)).toMatchObject({
    subject: 'Re: Where is my order?',
    text: expect.stringContaining('We look into it.'),
  })
}, 150_000)

test('the client sends once under the same key, and tells what is wrong by its code', async () => {
  const postroom = openPostroom(running.system.url, running.system.apiKey)
  const { id } = await running.connect('ada')
  const letter = { to: [{ address: 'casey@outside.example' }], text: 't' }
  const [first, second] = [await postroom.send(id, letter, 'once'), await postroom.send(id, letter, 'once')]
  expect(second.id).toBe(first.id)
  const unknown = postroom.call('GET', '/v1/channels/ch_none')
  await expect(unknown).rejects.toMatchObject({ code: 'channel_not_found', actor: 'app' })
})
