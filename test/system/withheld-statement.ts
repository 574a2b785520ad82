/** A step taken in the local system while the template's policies lack one statement: what was refused meanwhile. */

import { vi } from 'vitest'
import { isObject, textOf } from '../../infra/local/json-shape.ts'
import { allowing, type FunctionPolicy, type Statement } from '../../infra/local/policies.ts'
import { patience, quiet } from '../support/quiet.ts'
import type { RunningSystem } from '../support/running-system.ts'

/** Lambda itself writes logs and traces with the function's role; on this machine nobody does. */
export function isForLambdaItself({ actions }: Statement): boolean {
  return actions.every(action => /^(logs|xray):/.test(action))
}

export interface Withheld {
  /** What was refused that the statement allows, such as `s3:PutObject`. */
  refused: string[]
  /** What else was refused. */
  astray: string[]
}

/** Takes the step without the statement, in a system that is quiet; leaves it quiet, and with the statement again. */
export async function withheld(
  running: RunningSystem,
  { policy, statement, step }: { policy: FunctionPolicy; statement: Statement; step(): Promise<unknown> },
): Promise<Withheld> {
  const { cloud } = running.system
  // A fresh environment holds no key, no token and no secret yet.
  await cloud.kill(policy.name)
  cloud.withhold(statement)
  let failure: unknown
  const failing = () =>
    step().catch(error => {
      failure = error
    })
  const lines = await refusedMeanwhile(running, failing).finally(() => cloud.withhold())
  // What failed would come back when nothing is withheld any longer.
  cloud.dropMessages()
  await quiet(running.system)
  // A step that failed for another reason says nothing about the statement.
  if (lines.length === 0 && failure !== undefined) throw failure

  const own = lines.filter(
    ({ function: name, ...access }) => name === policy.name && allowing([statement], access),
  )
  return {
    refused: own.map(({ action }) => action),
    astray: lines
      .filter(line => !own.includes(line))
      .map(line => `${line.function} ${line.action} ${line.resource}`),
  }
}

/** Takes the step in a system that is quiet, and all that follows from it. */
export async function refusedMeanwhile(
  { system, log }: RunningSystem,
  step: () => Promise<unknown>,
): Promise<Refusal[]> {
  const from = log.length
  const refusals = () => log.slice(from).filter(isRefusal)
  await step()
  await vi.waitUntil(() => {
    const { invocations, messages } = system.cloud.inWork()
    // What was refused may leave its message in the queue.
    return invocations === 0 && (messages === 0 || refusals().length > 0)
  }, patience)
  return refusals()
}

export interface Refusal {
  function: string
  action: string
  resource: string
  context: Record<string, string[]>
}

function isRefusal(line: object): line is Refusal {
  return isObject(line) && textOf(line.message) === 'access denied by the template'
}
