/** The environment of `npm start`, checked: each mistake becomes one plain sentence. */

import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { PostroomError } from '../../functions/channel/faults.ts'
import { oauthAppsSchema } from '../../functions/channel/oauth-app.ts'
import { mergeProviders } from '../../functions/channel/provider.ts'
import { type Restored, restoredSchema } from '../../functions/channel/restored.ts'
import { check, inWords } from '../../functions/channel/schema-check.ts'
import { homeFolder } from './home-folder.ts'
import { errorCodeOf, LocalError } from './local-error.ts'

export interface Settings {
  port: number
  /** Everything that survives a restart. */
  folder: string
  apiKey: string
  /** Provider entries of POSTROOM_PROVIDERS; those not named come from the sandbox or are built in. */
  providers: Record<string, object>
  /** OAuth apps of POSTROOM_APPS, for real mailboxes. */
  apps: Record<string, object>
  /** Set where the tables were put back to an earlier time. */
  restored?: Restored | null
}

const defaultPort = 4400

/** @throws LocalError */
export async function readSettings(environment: NodeJS.ProcessEnv): Promise<Settings> {
  const folder = await homeFolder(environment)
  return {
    port: readPort(environment.PORT),
    folder,
    apiKey: await readApiKey(environment.POSTROOM_API_KEY, join(folder, 'api-key')),
    providers: await readProviders(environment.POSTROOM_PROVIDERS),
    apps: await readApps(environment.POSTROOM_APPS),
    restored: readRestored(environment.POSTROOM_RESTORED),
  }
}

function readPort(text: string | undefined): number {
  if (!text) return defaultPort
  const port = Number(text)
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new LocalError(`PORT must be a whole number from 0 to 65535: found '${text.slice(0, 40)}'.`)
}

async function readApiKey(given: string | undefined, file: string): Promise<string> {
  if (given) {
    if (/^[\x21-\x7e]{16,256}$/.test(given)) return given
    throw new LocalError('POSTROOM_API_KEY must be 16 to 256 visible ASCII characters.')
  }
  try {
    const made = randomBytes(24).toString('base64url')
    await writeFile(file, made, { flag: 'wx', mode: 0o600 })
    return made
  } catch (error) {
    if (errorCodeOf(error) !== 'EEXIST') throw unreadable(file, error)
  }
  const kept = (await readFile(file, 'utf8').catch(error => Promise.reject(unreadable(file, error)))).trim()
  if (kept !== '') return kept
  throw new LocalError(`The file ${file} is empty: remove it, and a new API key is made.`)
}

function readRestored(text: string | undefined): Restored | null {
  if (!text) return null
  return parseJson('POSTROOM_RESTORED', text, restoredSchema)
}

async function readProviders(file: string | undefined): Promise<Record<string, object>> {
  if (!file) return {}
  const providers = await readJson('POSTROOM_PROVIDERS', file, v.record(v.string(), v.looseObject({})))
  try {
    mergeProviders(providers)
  } catch (error) {
    if (!(error instanceof PostroomError)) throw error
    throw new LocalError(`The file ${file} of POSTROOM_PROVIDERS is not usable: ${firstFault(error)}.`)
  }
  return providers
}

async function readApps(file: string | undefined): Promise<Record<string, object>> {
  return file ? readJson('POSTROOM_APPS', file, oauthAppsSchema) : {}
}

function firstFault({ errors }: PostroomError): string {
  const [fault] = errors
  return fault ? `${fault.field} ${fault.rule}, found '${fault.found}'` : 'it does not follow the format'
}

async function readJson<S extends v.GenericSchema>(
  name: string,
  file: string,
  schema: S,
): Promise<v.InferOutput<S>> {
  const text = await readFile(file, 'utf8').catch(error => {
    throw new LocalError(`The file ${file} of ${name} cannot be read (${errorCodeOf(error)}).`, {
      cause: error,
    })
  })
  return parseJson(`The file ${file} of ${name}`, text, schema)
}

function parseJson<S extends v.GenericSchema>(what: string, text: string, schema: S): v.InferOutput<S> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new LocalError(`${what} is not JSON.`)
  }
  const result = check(schema, value)
  if (result.success) return result.data
  throw new LocalError(`${what} is not usable: ${result.broken.slice(0, 1).map(inWords).join()}.`)
}

function unreadable(file: string, error: unknown): LocalError {
  return new LocalError(`The file ${file} cannot be read or written (${errorCodeOf(error)}).`, {
    cause: error,
  })
}
