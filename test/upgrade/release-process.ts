/** Another checkout's `npm start`, on a data folder that it is given. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ReleaseProcess {
  /** Lets running work end, as at the end of a day. */
  stop(): Promise<void>
  /** As a power cut: what was in hand is cut off wherever it is. */
  kill(): Promise<void>
}

const flags = ['--experimental-strip-types', '--experimental-sqlite', '--disable-warning=ExperimentalWarning']

/** @throws Error with what it wrote, if it ends before it is ready */
export async function startRelease(
  checkout: string,
  environment: { POSTROOM_DATA: string; POSTROOM_API_KEY: string; POSTROOM_PROVIDERS?: string },
): Promise<ReleaseProcess> {
  const child = spawn(process.execPath, [...flags, 'infra/local/start.ts'], {
    cwd: checkout,
    env: { ...process.env, PORT: '0', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
    // Its own group, so that a kill reaches the child that serves.
    detached: true,
  })
  await ready(child)
  const end = async (signal: NodeJS.Signals) => {
    // The child that serves writes to the same output: closed once both are gone.
    const ended = once(child, 'close')
    if (signal === 'SIGKILL') process.kill(-(child.pid ?? 0), signal)
    else child.kill(signal)
    await ended
  }
  return { stop: () => end('SIGTERM'), kill: () => end('SIGKILL') }
}

async function ready(child: ChildProcess): Promise<void> {
  if (!child.stdout) throw new Error('It has no output')
  const written: string[] = []
  const lines = createInterface({ input: child.stdout })
  await new Promise<void>((resolve, reject) => {
    child.on('exit', code => reject(new Error(`It ended with ${code}:\n${written.join('\n')}`)))
    lines.on('line', line => {
      if (process.env.POSTROOM_SHOW_LOG) console.error(line)
      written.push(line)
      if (line.startsWith('Postroom is ready')) resolve()
    })
  })
}
