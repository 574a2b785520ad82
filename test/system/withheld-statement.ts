/** The local system with one statement of the template's policies less: what is refused first, and what worked until then. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { App } from '../../infra/local/as-app.ts'
import { isObject, textOf } from '../../infra/local/json-shape.ts'
import { allowing, type FunctionPolicy, type Statement } from '../../infra/local/policies.ts'
import type { RunningSystem } from '../support/running-system.ts'
import { mainJob, type Step, steps } from './every-call.ts'

/** Lambda itself writes logs and traces with the function's role; on this machine nobody does. */
export function isForLambdaItself({ actions }: Statement): boolean {
  return actions.every(action => /^(logs|xray):/.test(action))
}

/** Longer than a function in work goes without a call. */
const quietMs = 750

/** What each step made its functions ask for; `mainJob` is what comes before all of them. */
export type Asked = Map<string, Set<Statement>>

/** One run with everything allowed: which step needs which statement. */
export async function whatStepsAskFor(running: RunningSystem): Promise<Asked> {
  const counts = () => new Map(running.system.cloud.uses().map(use => [use, use.count]))
  const asked: Asked = new Map()
  async function watch<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = counts()
    const result = await work()
    const used = running.system.cloud.uses().filter(use => use.count > (before.get(use) ?? 0))
    asked.set(name, new Set(used.flatMap(({ allowedBy }) => allowedBy ?? [])))
    return result
  }
  const given = await watch('mainJob', () => mainJob(running, 'asking'))
  for (const [name, step] of Object.entries(steps)) await watch(name, () => step(running, given))
  return asked
}

export interface Withheld {
  /** What was refused that the statement allows, such as `s3:PutObject`; the run ends at the first. */
  refused: string[]
  /** What else was refused. */
  astray: string[]
}

/** Runs the main job and then the steps that need the statement, in an account of its own, until something is refused. */
export async function runWithout(
  running: RunningSystem,
  { policy, statement, asked }: { policy: FunctionPolicy; statement: Statement; asked: Asked },
): Promise<Withheld> {
  const { cloud } = running.system
  const result: Withheld = { refused: [], astray: [] }
  const from = running.log.length
  const stop = new AbortController()
  const watched = stoppable(running, stop.signal)

  async function work(): Promise<void> {
    const given = await mainJob(watched, `without-${policy.name}-${statement.sid}`)
    const needing = Object.entries<Step>(steps).filter(([name]) => asked.get(name)?.has(statement))
    for (const [, step] of needing) {
      await step(watched, given)
      stop.signal.throwIfAborted()
    }
  }

  // A fresh environment holds no key and no secret yet. One that is killed at work keeps its mailbox's connection for minutes.
  await quiet(running, policy.name)
  await cloud.kill(policy.name)
  cloud.withhold(statement)
  let isOver = false
  const working = work().then(
    () => undefined,
    (error: unknown) => error,
  )
  void working.then(() => {
    isOver = true
  })
  while (!isOver && result.refused.length === 0) {
    await sleep(10)
    read()
  }
  stop.abort(new Error('It was refused'))
  const error = await working
  read()
  cloud.withhold()
  // A step that failed for another reason says nothing about the statement.
  if (result.refused.length === 0 && error !== undefined) throw error
  return result

  function read(): void {
    const lines = running.log.slice(from).filter(isRefusal)
    const own = lines.filter(
      ({ function: name, ...access }) => name === policy.name && allowing([statement], access),
    )
    result.refused = own.map(({ action }) => action)
    result.astray = lines
      .filter(line => !own.includes(line))
      .map(line => `${line.function} ${line.action} ${line.resource}`)
  }
}

/** Until the function has asked for nothing for a while. */
async function quiet(running: RunningSystem, name: string): Promise<void> {
  const count = () =>
    running.system.cloud
      .uses()
      .reduce(
        (sum, use) =>
          sum + (use.function === name && use.access.action !== 'sqs:ReceiveMessage' ? use.count : 0),
        0,
      )
  for (let before = -1; before !== count(); ) {
    before = count()
    await sleep(quietMs)
  }
}

interface Refusal {
  function: string
  action: string
  resource: string
  context: Record<string, string[]>
}

function isRefusal(line: object): line is Refusal {
  return isObject(line) && textOf(line.message) === 'access denied by the template'
}

/** The same system, for which nobody waits any longer once it is stopped. */
function stoppable(running: RunningSystem, signal: AbortSignal): RunningSystem {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason))
  })
  stopped.catch(() => {})
  const app = (): App => {
    const { call, send, event } = running.app
    return {
      call,
      send,
      event: (...given) => Promise.race([event(...given), stopped]),
    }
  }
  return {
    ...running,
    get system() {
      return running.system
    },
    get folder() {
      return running.folder
    },
    get app() {
      return app()
    },
    connect: (...given) => running.connect(...given),
  }
}
