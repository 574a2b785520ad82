import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { startGuarded } from './guarded-process.ts'

/** Tells its process id, then stays for as long as nobody ends it. */
const server = 'echo $$; exec sleep 600'

function isRunning(processId: number): boolean {
  try {
    return process.kill(processId, 0)
  } catch {
    return false
  }
}

test('stop() ends the server', async () => {
  const guarded = startGuarded('/bin/sh', ['-c', server])
  onTestFinished(() => guarded.stop())
  await expect.poll(() => guarded.output()).toMatch(/^\d+\n$/)
  const processId = Number(guarded.output())
  expect(isRunning(processId)).toBe(true)
  await guarded.stop()
  expect(isRunning(processId)).toBe(false)
})

test('a server that takes no notice of SIGTERM is ended all the same', async () => {
  const guarded = startGuarded('/bin/sh', ['-c', `trap '' TERM; ${server}`])
  onTestFinished(() => guarded.stop())
  await expect.poll(() => guarded.output()).toMatch(/^\d+\n$/)
  const processId = Number(guarded.output())
  await guarded.stop()
  await expect.poll(() => isRunning(processId)).toBe(false)
})

test('when the process that started a server is killed, the server ends by itself', async () => {
  const file = fileURLToPath(new URL('guarded-process.ts', import.meta.url))
  const script = `
    const { startGuarded } = await import(${JSON.stringify(file)})
    const guarded = startGuarded('/bin/sh', ['-c', ${JSON.stringify(server)}])
    setInterval(() => process.stdout.write(guarded.output()), 50)`
  const parent = spawn(
    process.execPath,
    [
      '--experimental-strip-types',
      '--disable-warning=ExperimentalWarning',
      '--input-type=module',
      '-e',
      script,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void parent.kill('SIGKILL'))
  const [firstOutput] = await once(parent.stdout, 'data')
  const processId = Number.parseInt(String(firstOutput), 10)
  expect(isRunning(processId)).toBe(true)
  parent.kill('SIGKILL')
  await expect.poll(() => isRunning(processId), { timeout: 5_000 }).toBe(false)
})
