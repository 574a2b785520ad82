/** The AWS engines in this process, started once per test file; every test gets tables and a bucket of its own. */

import { afterAll, beforeAll } from 'vitest'
import { type RunningEngines, type Stores, startEngines } from './running-engines.ts'

export type { AwsCall, Stores } from './running-engines.ts'

export interface Engines {
  fresh(): Promise<Stores>
}

/** Registers the hooks that start and stop the engines. */
export function useEngines(): Engines {
  let engines: RunningEngines | undefined
  beforeAll(async () => {
    engines = await startEngines()
  })
  afterAll(() => engines?.close())

  return {
    async fresh() {
      if (!engines) throw new Error('The engines are not running')
      return engines.fresh()
    },
  }
}
