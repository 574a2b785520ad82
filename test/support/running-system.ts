/** A whole system of its own for one test file: fresh data, free ports, gone afterwards. */

import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Restored } from '../../functions/channel/restored.ts'
import { type App, type Json, openApp } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import type { Boot } from '../../infra/local/execution-environment.ts'
import type { Settings } from '../../infra/local/settings.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { type System, startSystem } from '../../infra/local/system.ts'
import { assemblyFolder, cacheFolder } from './cache.ts'

export interface RunningSystem {
  system: System
  /** Where it keeps everything. */
  folder: string
  app: App
  /** Every line the functions and the runner wrote. */
  log: object[]
  /** Stops and starts again, on the same data. */
  restart(change?: {
    whileDown?(folder: string): Promise<void>
    restored?: Restored
    /** Entries that take the place of the sandbox's. */
    providers?: Settings['providers']
  }): Promise<void>
  /** The whole way from the connect link to the confirmed channel. */
  connect(
    persona: string,
    options?: { accountId?: string; provider?: string; session?: object; script?: string },
  ): Promise<Json>
  /** Calls the sandbox's own interface. */
  sandbox(path: string, body?: object): Promise<Json>
}

const apiKey = 'key-of-this-test-only'
/** After a change of the sources the first start bundles all functions, on a machine that may be busy. */
const startTimeoutMs = 180_000

/** Registers the hooks that start and stop it; the object is filled in when the tests run. */
export function useRunningSystem(
  options: {
    /** What functions run in; worker threads if absent. */
    boot?: Boot
    /** Fills the data folder before the first start. */
    fillFolder?(folder: string): Promise<void>
    /** Changes this system's own copy of the synthesized app before it starts. */
    changeAssembly?(folder: string): Promise<void>
  } = {},
): RunningSystem {
  let folder = ''
  let assembly = assemblyFolder
  let system: System | undefined
  const log: object[] = []

  async function start({
    restored,
    providers = {},
  }: Partial<Pick<Settings, 'restored' | 'providers'>> = {}): Promise<void> {
    system = await startSystem(
      {
        port: system ? Number(new URL(system.url).port) : 0,
        folder,
        apiKey,
        providers,
        apps: {},
        restored,
      },
      { ...options, assembly, progress: () => undefined, log: line => log.push(line) },
    )
  }

  const running = (): System => {
    if (!system) throw new Error('The system is not running')
    return system
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postroom-test-'))
    // The certificate that this process trusts already.
    await cp(join(cacheFolder, 'sandbox'), join(folder, 'sandbox'), { recursive: true })
    await options.fillFolder?.(folder)
    if (options.changeAssembly) {
      assembly = join(folder, 'assembly')
      // Nobody may have started a system before.
      await synthesize({ folder: assemblyFolder })
      await cp(assemblyFolder, assembly, { recursive: true })
      await options.changeAssembly(assembly)
    }
    await start()
  }, startTimeoutMs)
  afterAll(async () => {
    await system?.close()
    await rm(folder, { recursive: true, force: true })
  })

  return {
    get system() {
      return running()
    },
    get folder() {
      return folder
    },
    get app() {
      return openApp({ url: running().url, apiKey })
    },
    log,

    async restart({ whileDown, ...settings } = {}) {
      await running().close()
      await whileDown?.(folder)
      await start(settings)
    },

    async connect(persona, { accountId = 'acme', provider = 'microsoft', session = {}, script } = {}) {
      const { app } = this
      const created = await app.call('POST', '/v1/connect-sessions', { accountId, provider, ...session })
      const landing = await newPerson().connect(created.body.connectUrl, persona, { script })
      if (landing.status !== 200) throw new Error(`The sign-in ended with ${landing.status}: ${landing.text}`)
      const confirmed = await app.call('POST', `/v1/connect-sessions/${created.body.id}/confirm`)
      if (confirmed.status !== 200) throw new Error(`Not confirmed: ${JSON.stringify(confirmed)}`)
      return confirmed.body.channel
    },

    async sandbox(path, body) {
      const response = await fetch(`${running().sandbox?.origin}${path}`, {
        method: body ? 'POST' : 'GET',
        headers: { accept: 'application/json', ...(body && { 'content-type': 'application/json' }) },
        body: body && JSON.stringify(body),
      })
      if (!response.ok)
        throw new Error(`The sandbox answered ${response.status} to ${path}: ${await response.text()}`)
      return response.json()
    },
  }
}
