/**
 * The execution environments of one function. Each takes one event at a time, as on Lambda. Lambda adds environments
 * up to an account's limit (1,000 by default) and keeps idle ones for minutes; here they are at most two, made only
 * while all others are busy, and one idle one stays. Whoever comes while both are busy waits, where Lambda would
 * answer 429 only at its limit.
 */

import { randomUUID } from 'node:crypto'
import {
  type Boot,
  bootThread,
  type ExecutionEnvironment,
  type FunctionDefinition,
} from './execution-environment.ts'
import { FunctionError, runtimeErrors } from './function-error.ts'

/** What calls a function (HTTP, a schedule, each queue) may have as many of its environments at a time. */
export const environmentsPerCaller = 2

/** How long an idle environment stays beside another idle one. */
const idleMs = 10_000

export interface FunctionPool {
  definition: FunctionDefinition
  /** @throws FunctionError */
  invoke(event: unknown): Promise<unknown>
  /** Ends all environments at once. Running invocations are rejected; the next one boots afresh. */
  kill(): Promise<void>
  /** As kill(), and for good: later invocations are rejected. */
  close(): Promise<void>
  /** How many invocations are running or waiting. */
  inWork(): number
  /** Resolves when no invocation is running or waiting. */
  whenIdle(): Promise<void>
}

export interface PoolOptions {
  log(line: object): void
  /** Worker threads if absent. */
  boot?: Boot
  /** Most environments at a time; as for one caller if absent. */
  maxEnvironments?: number
}

export function createPool(
  definition: FunctionDefinition,
  { log, boot = bootThread, maxEnvironments = environmentsPerCaller }: PoolOptions,
): FunctionPool {
  const environments = new Set<ExecutionEnvironment>()
  const idle: { environment: ExecutionEnvironment; retirement: NodeJS.Timeout }[] = []
  const waiting: (() => void)[] = []
  const invocations = new Set<Promise<unknown>>()
  let closed = false

  /** Takes the environment used last, or boots one, or waits for the next that is given back. */
  async function acquire(): Promise<ExecutionEnvironment> {
    for (;;) {
      if (closed) throw closedError()
      const free = idle.pop()
      if (free) {
        clearTimeout(free.retirement)
        if (free.environment.isUsable()) return free.environment
        environments.delete(free.environment)
      } else if (environments.size < maxEnvironments) {
        const environment = boot(definition, log)
        environments.add(environment)
        return environment
      } else {
        await new Promise<void>(resolve => waiting.push(resolve))
      }
    }
  }

  function release(environment: ExecutionEnvironment): void {
    if (environment.isUsable()) {
      const retirement = setTimeout(() => retire(environment), idleMs)
      retirement.unref()
      idle.push({ environment, retirement })
    } else {
      environments.delete(environment)
    }
    waiting.shift()?.()
  }

  function retire(environment: ExecutionEnvironment): void {
    const place = idle.findIndex(entry => entry.environment === environment)
    if (place === -1 || idle.length === 1) return
    idle.splice(place, 1)
    environments.delete(environment)
    void environment.terminate()
  }

  async function run(event: unknown): Promise<unknown> {
    const environment = await acquire()
    try {
      const payload = JSON.stringify(event ?? null)
      return JSON.parse(await environment.invoke({ requestId: randomUUID(), payload }))
    } finally {
      release(environment)
    }
  }

  async function kill(): Promise<void> {
    const ending = [...environments]
    environments.clear()
    for (const { retirement } of idle.splice(0)) clearTimeout(retirement)
    await Promise.all(ending.map(environment => environment.terminate()))
  }

  function closedError(): FunctionError {
    return new FunctionError({
      errorType: runtimeErrors.exited,
      errorMessage: `${definition.name} is shut down`,
    })
  }

  return {
    definition,
    kill,
    invoke(event) {
      const invocation = run(event)
      const settled = invocation.then(
        () => {},
        () => {},
      )
      invocations.add(settled)
      void settled.then(() => invocations.delete(settled))
      return invocation
    },
    async close() {
      closed = true
      for (const wake of waiting.splice(0)) wake()
      await kill()
    },
    inWork: () => invocations.size,
    async whenIdle() {
      while (invocations.size > 0) await Promise.all(invocations)
    },
  }
}
