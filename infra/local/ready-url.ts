/** Waits for a started Postroom to say where it serves; used by whoever starts one as a child. */

import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'

const startTimeoutMs = 90_000

/** @throws Error with everything the child wrote, if it ends or is not ready in time */
export async function readyUrl(child: ChildProcess): Promise<string> {
  const { stdout, stderr } = child
  if (!stdout || !stderr) throw new Error('The child has no output to read')
  const lines: string[] = []
  createInterface({ input: stderr }).on('line', line => lines.push(line))
  return new Promise((resolve, reject) => {
    const fail = (what: string) => reject(new Error(`Postroom ${what}:\n${lines.join('\n')}`))
    createInterface({ input: stdout }).on('line', line => {
      lines.push(line)
      const found = /^Postroom is ready: (\S+)$/.exec(line)?.[1]
      if (found) resolve(found)
    })
    child.once('exit', code => fail(`ended with ${code}`))
    setTimeout(() => fail('was not ready in time'), startTimeoutMs).unref()
  })
}
