import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'

const script = fileURLToPath(new URL('../../infra/local/start.ts', import.meta.url))
const execArgv = [
  '--experimental-strip-types',
  '--experimental-sqlite',
  '--disable-warning=ExperimentalWarning',
]

/** The first start in a folder prepares the functions. */
vi.setConfig({ testTimeout: 120_000 })

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'postroom-start-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Starts as a person would, and gives what was printed on the way out. */
async function startAndFail(environment: Record<string, string>) {
  const child = fork(script, {
    execArgv,
    env: { PATH: process.env.PATH, POSTROOM_DATA: folder, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let errors = ''
  child.stderr?.on('data', chunk => {
    errors += chunk
  })
  const [code] = await once(child, 'exit')
  return { code, errors: errors.trim() }
}

test('a port in use is one plain sentence and exit code 1', async () => {
  const holder = createServer().listen(0, '127.0.0.1')
  await once(holder, 'listening')
  const address = holder.address()
  const port = typeof address === 'object' && address ? String(address.port) : ''
  const { code, errors } = await startAndFail({ PORT: port })
  holder.close()
  expect(code).toBe(1)
  expect(errors).toMatch(new RegExp(`^[^\\n]*${port}[^\\n]*in use[^\\n]*\\.$`))
})

test('a data folder that is a file is one plain sentence and exit code 1', async () => {
  const file = join(folder, 'a-file')
  await writeFile(file, '')
  const { code, errors } = await startAndFail({ POSTROOM_DATA: file })
  expect(code).toBe(1)
  expect(errors).toBe(`The data folder ${file} cannot be made or opened (EEXIST).`)
})

test('a damaged ports file is one plain sentence and exit code 1', async () => {
  const data = join(folder, 'damaged')
  await mkdir(data)
  await writeFile(join(data, 'ports.json'), '{"http":')
  const { code, errors } = await startAndFail({ POSTROOM_DATA: data })
  expect(code).toBe(1)
  expect(errors).toMatch(/^The file .*ports\.json is damaged[^\n]*\.$/)
})

test.each([
  ['is not there', undefined, /cannot be read \(ENOENT\)\.$/],
  ['is no JSON', '{', /is not JSON\.$/],
  ['names a field that is unknown', '{"microsoft":{"imapp":1}}', /microsoft\.imapp is not a known field/],
  [
    'asks for mail without TLS',
    '{"microsoft":{"imap":{"host":"h","port":1,"security":"none"}}}',
    /microsoft\.imap\.security/,
  ],
])(
  'a POSTROOM_PROVIDERS file that %s is one plain sentence and exit code 1',
  async (_what, content, sentence) => {
    const file = join(folder, `providers-${Math.random()}.json`)
    if (content !== undefined) await writeFile(file, content)
    const { code, errors } = await startAndFail({ POSTROOM_PROVIDERS: file })
    expect(code).toBe(1)
    expect(errors.split('\n')).toHaveLength(1)
    expect(errors).toMatch(sentence)
  },
)

test.each(['x', '-1', '70000', '1.5'])('PORT=%s is one plain sentence and exit code 1', async port => {
  expect(await startAndFail({ PORT: port })).toEqual({
    code: 1,
    errors: `PORT must be a whole number from 0 to 65535: found '${port}'.`,
  })
})
