/** Starts a sender in a process of its own (test/bench/send-client.ts), with the memory and the environment it is to have. */

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Cost, Work } from '../bench/send-client.ts'

export interface SenderProcess {
  /** @throws Error if the work fails, or the process ends before it has answered, for want of memory for one */
  perform(work: Work): Promise<Cost>
  end(): void
}

const file = fileURLToPath(new URL('../bench/send-client.ts', import.meta.url))

export function startSender(options: {
  environment?: Record<string, string>
  certFile: string
  heapMegabytes?: number
}): SenderProcess {
  const { environment = {}, certFile, heapMegabytes } = options
  const child = fork(file, {
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: certFile, ...environment },
    execArgv: [
      '--experimental-strip-types',
      '--disable-warning=ExperimentalWarning',
      ...(heapMegabytes === undefined ? [] : [`--max-old-space-size=${heapMegabytes}`]),
    ],
  })
  return {
    async perform(work) {
      const { promise, resolve, reject } = Promise.withResolvers<Cost | { failure: string }>()
      const onExit = (code: number | null, signal: string | null) =>
        reject(new Error(`The sender ended with ${signal ?? code}`))
      child.once('message', resolve).once('exit', onExit)
      child.send(work)
      const answer = await promise.finally(() => child.off('message', resolve).off('exit', onExit))
      if ('failure' in answer) throw new Error(answer.failure)
      return answer
    },
    end: () => void child.kill(),
  }
}
