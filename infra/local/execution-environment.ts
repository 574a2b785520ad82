/** One execution environment, which has loaded one function and takes one event at a time: here, a worker thread. */

import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { FunctionError, runtimeErrors } from './function-error.ts'
import type { InvocationMessage, WorkerData, WorkerMessage } from './function-worker.ts'
import { isObject, parseJson } from './json-shape.ts'

export interface FunctionDefinition {
  /** For people: the construct's id, such as `Fetch`. */
  name: string
  /** Physical name, as in AWS_LAMBDA_FUNCTION_NAME. */
  functionName: string
  arn: string
  file: string
  exportName: string
  environment: Record<string, string>
  memoryMegabytes: number
  timeoutMs: number
}

export interface ExecutionEnvironment {
  /** False once it has ended or is ending: it takes no further event. */
  isUsable(): boolean
  /**
   * @param payload the event as JSON
   * @returns the result as JSON
   * @throws FunctionError if the handler threw, the time-out passed, or the environment ended
   */
  invoke(invocation: { requestId: string; payload: string }): Promise<string>
  /** Ends it at once, whatever it is doing; a running invocation is rejected. */
  terminate(): Promise<void>
}

/** Makes an environment for a function; what the function writes goes to the log line by line. */
export type Boot = (definition: FunctionDefinition, log: (line: object) => void) => ExecutionEnvironment

/** Lambda gives the code outside the handler 10 seconds, which do not count against the function's time-out. */
export const bootTimeoutMs = 10_000

export const bootThread: Boot = (definition, log) => {
  const workerData: WorkerData = {
    file: definition.file,
    exportName: definition.exportName,
    functionName: definition.functionName,
    functionArn: definition.arn,
    memoryMegabytes: definition.memoryMegabytes,
  }
  const worker = new Worker(new URL('./function-worker.ts', import.meta.url), {
    name: definition.name,
    env: definition.environment,
    // Node 22 needs the first to load TypeScript; both are the worker's own and do not depend on how we were started.
    execArgv: ['--experimental-strip-types', '--disable-warning=ExperimentalWarning'],
    // Lambda's limit covers buffers too; a thread can only be held to its heap.
    resourceLimits: { maxOldGenerationSizeMb: definition.memoryMegabytes, maxYoungGenerationSizeMb: 8 },
    stdout: true,
    stderr: true,
    workerData,
  })
  forwardLines(worker.stdout, line => log({ function: definition.name, stream: 'stdout', ...line }))
  forwardLines(worker.stderr, line => log({ function: definition.name, stream: 'stderr', ...line }))

  let usable = true
  let running: PromiseWithResolvers<string> | undefined
  const booted = Promise.withResolvers<void>()
  // Nobody may be waiting when a thread fails; whoever waits gets the error all the same.
  booted.promise.catch(() => {})

  function fail(error: FunctionError): void {
    usable = false
    booted.reject(error)
    running?.reject(error)
  }

  async function end(error: FunctionError): Promise<void> {
    fail(error)
    await worker.terminate()
  }

  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'ready') booted.resolve()
    if (message.kind === 'result') running?.resolve(message.payload)
    if (message.kind === 'error') running?.reject(new FunctionError(message.error))
    if (message.kind === 'unusable') void end(new FunctionError(message.error))
  })
  // An exception nobody caught, a rejection nobody handled, or the heap's limit: the thread ends.
  worker.on('error', (error: unknown) => {
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error))
    fail(new FunctionError({ errorType: name, errorMessage: message, trace: stack?.split('\n') }))
  })
  worker.on('exit', code => {
    const errorMessage = `the function's thread ended with exit code ${code}`
    fail(new FunctionError({ errorType: runtimeErrors.exited, errorMessage }))
  })

  return {
    isUsable: () => usable,

    async invoke({ requestId, payload }) {
      await withTimeout(booted.promise, bootTimeoutMs, end)
      const invocation = Promise.withResolvers<string>()
      running = invocation
      const message: InvocationMessage = { requestId, payload, deadlineMs: Date.now() + definition.timeoutMs }
      worker.postMessage(message)
      try {
        return await withTimeout(invocation.promise, definition.timeoutMs, end)
      } finally {
        running = undefined
      }
    },

    terminate: () =>
      end(
        new FunctionError({ errorType: runtimeErrors.exited, errorMessage: `${definition.name} was ended` }),
      ),
  }
}

/** Ends the environment if the promise takes too long: what is still running in it must not meet the next event. */
export async function withTimeout<T>(
  promise: Promise<T>,
  timeoutMs: number,
  end: (error: FunctionError) => Promise<void>,
): Promise<T> {
  const timer = setTimeout(() => {
    const errorMessage = `Task timed out after ${(timeoutMs / 1000).toFixed(2)} seconds`
    void end(new FunctionError({ errorType: runtimeErrors.timedOut, errorMessage }))
  }, timeoutMs)
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** Functions log JSON lines; anything else is passed on as text. */
export function forwardLines(stream: Readable, write: (line: object) => void): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', line => {
    const record = parseJson(line)
    write(isObject(record) ? { record } : { message: line })
  })
}
