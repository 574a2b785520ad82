/** The local cloud: runs a synthesized CDK app on embedded engines and worker threads, all within this process. */

import { createServer, type RequestListener, type Server } from 'node:http'
import { openDataFolder } from './data-folder.ts'
import {
  deployFunctions,
  deployStores,
  outputsOf,
  type PlacedResource,
  placeResources,
  routesOf,
  startQueueSources,
  startSchedules,
} from './deployment.ts'
import type { Boot, FunctionDefinition } from './execution-environment.ts'
import type { FunctionPool } from './function-pool.ts'
import type { Endpoints } from './functions.ts'
import { createGate, type Use } from './gate.ts'
import { createHttpApi, type PageRequest } from './http-api.ts'
import { identify } from './identities.ts'
import { startKeysAndSecrets } from './keys-and-secrets.ts'
import { LocalError } from './local-error.ts'
import { listenOnLoopback } from './loopback.ts'
import { type FunctionPolicy, readPolicies, type Statement } from './policies.ts'
import type { HttpAnswer } from './problem.ts'
import { startAws } from './queues-topics-buckets.ts'
import { startTables } from './tables.ts'
import { createResolve, plainName, readAssembly } from './template.ts'

interface EnginePorts {
  aws: number
  dynamodb: number
  kms: number
}

export interface CloudOptions {
  /** Folder of the synthesized app. */
  assembly: string
  /** What is stored; data-folder.ts tells its layout. Survives a restart. */
  folder: string
  /** The HTTP API's port on 127.0.0.1; 0 takes any free one. */
  port: number
  /** Absent or 0 takes any free one. A queue's URL contains the port: pass `Cloud.ports` to keep it. */
  enginePorts?: Partial<EnginePorts>
  /** Bearer key that stands in for IAM. */
  apiKey: string
  /** Value by (prefix of) the logical id of an `AWS::SecretsManager::Secret`, such as `{ OAuthApps: '{…}' }`. */
  secrets: Record<string, string>
  /** Replaces the value of every function variable that the template sets under the same name. */
  environment: Record<string, string>
  /** Answers requests that no route of the template takes. */
  pages?(request: PageRequest): HttpAnswer | undefined
  /** Gets one object per line that a function writes and per failure. */
  log(line: object): void
  /** Epoch milliseconds; the system's clock if absent. */
  now?(): number
  /** What functions run in; worker threads if absent. */
  boot?: Boot
  /** How long close() waits for running invocations; 5 seconds if absent. */
  closingGraceMs?: number
}

export interface Cloud {
  /** `http://localhost:PORT` */
  url: string
  endpoints: Endpoints
  /** To be passed as `enginePorts` at the next start. */
  ports: EnginePorts
  /** Of the template, resolved; queue URLs are usable as they are. */
  outputs: Record<string, string>
  /**
   * @param functionId logical id, or what it begins with, such as `Fetch`
   * @throws FunctionError if the invocation gave no result
   * @throws LocalError if no function, or more than one, has this id
   */
  invoke(functionId: string, event: unknown): Promise<unknown>
  /** Ends the function's threads at once, whatever they are doing; the next call boots a fresh one. */
  kill(functionId: string): Promise<void>
  /** What each function runs, and what it is told. */
  functions: FunctionDefinition[]
  /** What the template lets each function do. */
  policies: FunctionPolicy[]
  /** For tests: as if the template lacked this one statement of `policies`; none again if absent. */
  withhold(statement?: Statement): void
  /** What the functions have asked of the engines since the start: one example of each kind of call. */
  uses(): Use[]
  /** For tests: what is still to be done, in invocations and in messages of the queues that functions read. */
  inWork(): { invocations: number; messages: number }
  /** For tests: empties the queues that functions read, since what failed would come back minutes later. */
  dropMessages(): void
  /** Gives running invocations a moment (`closingGraceMs`) to end, then releases all ports, threads and files. */
  close(): Promise<void>
}

/** What has been opened so far, so that a start that fails half-way leaves nothing behind. */
type Opened = (() => Promise<void>)[]

const defaultClosingGraceMs = 5_000

/** @throws LocalError, whose message is for a person, if a port is in use or the data folder cannot be used */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const opened: Opened = []
  try {
    return await start(options, opened)
  } catch (error) {
    await closeAll(opened)
    throw error
  }
}

async function start(options: CloudOptions, opened: Opened): Promise<Cloud> {
  const { log, now = Date.now, closingGraceMs = defaultClosingGraceMs } = options
  const assembly = await readAssembly(options.assembly)
  // Bound first, for its port is part of what functions are told; it answers once everything stands.
  const http = await openHttp(options.port, opened)
  const url = `http://localhost:${http.port}`

  const data = await openDataFolder(options.folder)
  const ports = options.enginePorts
  const gate = createGate(log)
  const dynamodb = await startTables({ folder: data.dynamodb, port: ports?.dynamodb ?? 0, gate })
  opened.push(dynamodb.close)
  const aws = await startAws({ folder: data.aws, port: ports?.aws ?? 0, gate, pageOrigin: url })
  opened.push(aws.close)

  const identities = identify(assembly, { url, aws: aws.endpoint })
  const resolve = createResolve(assembly, identities)
  const resources = placeResources(assembly, { identities, resolve })
  const kms = await startKeysAndSecrets({
    port: ports?.kms ?? 0,
    masterKey: data.masterKey,
    keyArns: arnsOfKeys(resources),
    secrets: secretsByArn(resources, options.secrets),
    gate,
  })
  opened.push(kms.close)

  await deployStores(resources, { aws, dynamodb: dynamodb.endpoint, log })
  const policies = readPolicies(resources)
  gate.enforce(policies)
  const endpoints = { aws: aws.endpoint, dynamodb: dynamodb.endpoint, kms: kms.endpoint }
  const surroundings = { assembly, endpoints, overrides: options.environment }
  const pools = deployFunctions(resources, { surroundings, log, boot: options.boot })

  http.answerWith(
    createHttpApi({
      port: http.port,
      apiKey: options.apiKey,
      routes: routesOf(resources, pools),
      pages: options.pages,
      now,
      log,
    }),
  )
  const sources = startQueueSources(resources, { aws, pools, log })
  const stopSchedules = startSchedules(resources, { pools, now, log })

  async function shutDown(): Promise<void> {
    stopSchedules()
    const stopping = http.stop()
    const sourcesStopped = Promise.all(sources.map(source => source.stop()))
    aws.endReceives()
    const all = [...pools.values()]
    await atMost(closingGraceMs, Promise.all([sourcesStopped, ...all.map(pool => pool.whenIdle())]))
    await Promise.all(all.map(pool => pool.close()))
    // What was cut off has been told so by now; its answers and deletions still go out.
    await atMost(500, Promise.all([sourcesStopped, stopping]))
    await closeAll(opened)
  }

  let closing: Promise<void> | undefined
  return {
    url,
    endpoints,
    ports: { aws: aws.port, dynamodb: dynamodb.port, kms: kms.port },
    outputs: outputsOf(assembly, resolve),
    functions: [...pools.values()].map(({ definition }) => definition),
    policies: [...policies.values()],
    withhold: gate.withhold,
    uses: gate.uses,
    inWork: () => ({
      invocations: sum([...pools.values()].map(pool => pool.inWork())),
      messages: sum(sources.map(source => aws.messagesIn(source.queueUrl))),
    }),
    dropMessages() {
      for (const source of sources) aws.dropMessages(source.queueUrl)
    },
    invoke: async (functionId, event) => findByPrefix(pools, functionId).invoke(event),
    kill: async functionId => findByPrefix(pools, functionId).kill(),
    close() {
      closing ??= shutDown()
      return closing
    },
  }
}

interface HttpFront {
  port: number
  answerWith(listener: RequestListener): void
  /** Takes no further connection; resolves when the last request has its answer. */
  stop(): Promise<void>
}

async function openHttp(port: number, opened: Opened): Promise<HttpFront> {
  const server: Server = createServer()
  const unavailable: RequestListener = (_request, response) => {
    response.writeHead(503, { connection: 'close', 'retry-after': '1' }).end()
  }
  let listener = unavailable
  server.on('request', (request, response) => listener(request, response))
  const taken = await listenOnLoopback(server, port)
  opened.push(async () => {
    server.close()
    server.closeAllConnections()
  })
  return {
    port: taken,
    answerWith(next) {
      listener = next
    },
    stop() {
      listener = unavailable
      return new Promise(resolve => {
        server.close(() => resolve())
        server.closeIdleConnections()
      })
    },
  }
}

function arnsOfKeys(resources: PlacedResource[]): string[] {
  return resources.flatMap(({ type, identity }) =>
    type === 'AWS::KMS::Key' && identity.attributes.Arn ? [identity.attributes.Arn] : [],
  )
}

function secretsByArn(resources: PlacedResource[], values: Record<string, string>): Map<string, string> {
  const secrets = new Map<string, string>()
  for (const { type, logicalId, identity } of resources) {
    const name = Object.keys(values).find(prefix => logicalId.startsWith(prefix))
    const value = name === undefined ? undefined : values[name]
    if (type === 'AWS::SecretsManager::Secret' && value !== undefined) secrets.set(identity.ref, value)
  }
  return secrets
}

function findByPrefix(pools: Map<string, FunctionPool>, functionId: string): FunctionPool {
  const ids = [...pools.keys()]
  const exact = ids.filter(id => id === functionId || plainName(id) === functionId)
  const [id, ...others] = exact.length > 0 ? exact : ids.filter(candidate => candidate.startsWith(functionId))
  const pool = id === undefined || others.length > 0 ? undefined : pools.get(id)
  if (pool) return pool
  throw new LocalError(
    `No single function is called "${functionId}"; there are ${ids.map(plainName).join(', ')}.`,
  )
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** Waits for the promise, but no longer than this; a failure counts as an end too. */
async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  const timeout = Promise.withResolvers<void>()
  const timer = setTimeout(timeout.resolve, ms)
  await Promise.race([promise.catch(() => {}), timeout.promise])
  clearTimeout(timer)
}

/** In reverse order of opening. One that does not close must not keep the others open. */
async function closeAll(opened: Opened): Promise<void> {
  for (const close of opened.splice(0).reverse()) await atMost(2_000, close())
}
