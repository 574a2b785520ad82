/** One execution environment by hand, gone when its test ends. */

import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import type { Boot, FunctionDefinition } from '../../infra/local/execution-environment.ts'
import { FunctionError } from '../../infra/local/function-error.ts'

export function started(boot: Boot, definition: FunctionDefinition, log: (line: object) => void = () => {}) {
  const environment = boot(definition, log)
  onTestFinished(() => environment.terminate())

  /** @param event as JSON if it is a text */
  async function invoke(event: object | string): Promise<unknown> {
    const payload = typeof event === 'string' ? event : JSON.stringify(event)
    return JSON.parse(await environment.invoke({ requestId: randomUUID(), payload }))
  }

  return {
    invoke,
    async failureOf(event: object): Promise<FunctionError> {
      const error = await invoke(event).catch(reason => reason)
      if (error instanceof FunctionError) return error
      throw new Error(`no FunctionError but ${error}`)
    },
  }
}
