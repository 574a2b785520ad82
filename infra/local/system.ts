/** The whole system on one machine: sandbox provider, local cloud, the functions' bundles, the console. */

import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import { integer } from '../../functions/channel/single-values.ts'
import { localhostCertificate } from '../sandbox/certificate.ts'
import { type Sandbox, startSandbox } from '../sandbox/sandbox.ts'
import { type Cloud, startCloud } from './cloud.ts'
import { consolePages } from './console-pages.ts'
import type { Boot } from './execution-environment.ts'
import { freePort, portBeside, requireFree } from './free-port.ts'
import { errorCodeOf, LocalError } from './local-error.ts'
import { loopbackAddress } from './loopback.ts'
import type { Settings } from './settings.ts'
import { synthesize } from './synthesize.ts'

export interface System {
  url: string
  apiKey: string
  cloud: Cloud
  /** Absent where POSTROOM_APPS or POSTROOM_PROVIDERS name every provider it would play. */
  sandbox: Sandbox | undefined
  close(): Promise<void>
}

export interface SystemOptions {
  /** Tells a person what is being waited for. */
  progress(text: string): void
  log(line: object): void
  /** Where the synthesized app is kept, if not with the data: tests share one. */
  assembly?: string
  /** What functions run in; worker threads if absent. */
  boot?: Boot
}

/** On a laptop, a mail that waits five minutes looks like a mail that is lost. */
const pollIntervalMinutes = 1

/** @throws LocalError, one plain sentence, if a port or the data folder cannot be used */
export async function startSystem(settings: Settings, options: SystemOptions): Promise<System> {
  const { folder, apiKey } = settings
  const ports = await readPorts(folder)
  const port = settings.port || ports.http || (await freePort())
  const url = `http://localhost:${port}`
  const awsPort = ports.engines.aws || (await freePort())
  const mailOrigin = `http://${loopbackAddress}:${awsPort}`
  // Nobody shall wait for functions that could not be reached.
  await requireFree(port)
  options.progress('Preparing the functions; the first start takes a few seconds longer …')
  const assembly = await synthesize({ folder: options.assembly ?? join(folder, 'assembly') })

  const sandbox = await sandboxFor(settings, { url, ports })
  const opened: { close(): Promise<void> }[] = sandbox ? [sandbox] : []
  try {
    const cloud = await startCloud({
      assembly,
      folder: join(folder, 'cloud'),
      port,
      enginePorts: { ...ports.engines, aws: awsPort },
      apiKey,
      secrets: { OAuthApps: JSON.stringify({ ...sandbox?.apps, ...settings.apps }) },
      environment: {
        PUBLIC_URL: url,
        MAIL_ORIGIN: mailOrigin,
        PROVIDERS: JSON.stringify({ ...sandboxEntries(sandbox, settings), ...settings.providers }),
        RETURN_URLS: JSON.stringify(['http://localhost:*']),
        POLL_INTERVAL_MINUTES: String(pollIntervalMinutes),
        WEBHOOK_EGRESS: 'loopback',
        RESTORED: JSON.stringify(settings.restored ?? null),
      },
      pages: await consolePages({ apiKey, sandboxOrigin: sandbox?.origin ?? null, mailOrigin }),
      log: options.log,
      boot: options.boot,
    })
    opened.unshift(cloud)
    await writePorts(folder, { http: port, sandbox: sandbox?.ports ?? ports.sandbox, engines: cloud.ports })
    await writeFile(
      join(folder, 'outputs.json'),
      JSON.stringify(
        { ...cloud.outputs, endpoints: cloud.endpoints, SandboxUrl: sandbox?.origin ?? null },
        null,
        2,
      ),
    )
    return { url, apiKey, cloud, sandbox, close: () => closeAll(opened) }
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

type Ports = v.InferOutput<typeof portsSchema>

const portsSchema = v.object({
  http: integer,
  sandbox: v.object({
    http: integer,
    smtp: integer,
    smtps: integer,
    imap: integer,
  }),
  engines: v.object({
    aws: integer,
    dynamodb: integer,
    kms: integer,
  }),
})

/** Issuers and queue URLs hold their port, so what was free at the first start is kept for ever. */
const portsFile = (folder: string) => join(folder, 'ports.json')
const anyFreePort: Ports = {
  http: 0,
  sandbox: { http: 0, smtp: 0, smtps: 0, imap: 0 },
  engines: { aws: 0, dynamodb: 0, kms: 0 },
}

async function readPorts(folder: string): Promise<Ports> {
  const file = portsFile(folder)
  try {
    return parse(portsSchema, JSON.parse(await readFile(file, 'utf8')))
  } catch (error) {
    if (errorCodeOf(error) === 'ENOENT') return anyFreePort
    throw new LocalError(`The file ${file} is damaged: remove it, and the sandbox moves to new ports.`, {
      cause: error,
    })
  }
}

async function writePorts(folder: string, ports: Ports): Promise<void> {
  await writeFile(portsFile(folder), JSON.stringify(ports, null, 2))
}

const sandboxProviders = ['microsoft', 'google'] as const

/** A provider that POSTROOM_APPS or POSTROOM_PROVIDERS names is real; the sandbox plays the others. */
function isReal(id: string, { apps, providers }: Settings): boolean {
  return id in apps || id in providers
}

async function sandboxFor(
  settings: Settings,
  { url, ports }: { url: string; ports: Ports },
): Promise<Sandbox | undefined> {
  if (sandboxProviders.every(id => isReal(id, settings))) return undefined
  const folder = join(settings.folder, 'sandbox')
  return startSandbox({
    folder,
    ports: { ...ports.sandbox, http: ports.sandbox.http || (await portBeside(settings.port)) },
    certificate: await localhostCertificate(folder),
    redirectUris: {
      microsoft: `${url}/oauth/microsoft/callback`,
      google: `${url}/oauth/google/callback`,
    },
  })
}

function sandboxEntries(sandbox: Sandbox | undefined, settings: Settings): Record<string, object> {
  const entries = Object.entries(sandbox?.providers ?? {})
  return Object.fromEntries(entries.filter(([id]) => !isReal(id, settings)))
}

async function closeAll(opened: { close(): Promise<void> }[]): Promise<void> {
  for (const part of opened) await part.close()
}
