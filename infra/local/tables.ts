/** DynamoDB on this machine: dynalite on loopback, with the template's tables. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import { Readable } from 'node:stream'
import dynalite from 'dynalite'
import { callJson, EngineError } from './engine-call.ts'
import type { Gate } from './gate.ts'
import { isObject, type JsonObject, listOf, objectOf, parseJson, textOf } from './json-shape.ts'
import { errorCodeOf, LocalError } from './local-error.ts'
import { isFromLocalProgram, listenOnLoopback, loopbackAddress } from './loopback.ts'
import { dynamodbAccess } from './requested-access.ts'

export interface Engine {
  /** Origin to which clients talk. */
  endpoint: string
  port: number
  close(): Promise<void>
}

/**
 * Starts dynalite over the store in `folder`.
 * @throws LocalError if the port is in use, or the store is damaged or held by another process
 */
export async function startTables(options: {
  folder: string
  port: number
  /** Who may do what; without it, everybody everything. */
  gate?: Gate
}): Promise<Engine> {
  const { gate } = options
  await checkStore(options.folder)
  const server = dynalite({ path: options.folder, createTableMs: 0 })
  const [answer] = server.listeners('request')
  server.removeAllListeners('request')
  const close = () =>
    new Promise<void>((resolve, reject) => {
      // Waits for running operations, then closes the store.
      server.close(error => (error ? reject(error) : resolve()))
      server.closeAllConnections()
    })
  const port = await listenOnLoopback(server, options.port).catch(async error => {
    // dynalite holds the store from its making on, and gives it back only when it stops listening.
    await listenOnLoopback(server, 0)
    await close()
    throw error
  })

  server.on('request', (request, response) => {
    // dynalite tells browsers that any page may read the tables (Access-Control-Allow-Origin: *).
    if (!isFromLocalProgram(request, port)) {
      response.writeHead(403).end()
      return
    }
    const pass = (passed: Readable) => {
      answer?.call(server, passed, response)
      // dynalite throws a request's error, which would end this process when a function is killed in mid-request.
      passed.removeAllListeners('error').on('error', () => {})
    }
    const caller = gate?.callerOf(request)
    if (!gate || caller === undefined) pass(request)
    else void passIfAllowed(request, response, { gate, caller, pass })
  })

  return { endpoint: `http://${loopbackAddress}:${port}`, port, close }
}

/** Reads a function's call, which decides over it, and hands it on as if it had not been read. */
async function passIfAllowed(
  request: IncomingMessage,
  response: ServerResponse,
  { gate, caller, pass }: { gate: Gate; caller: string; pass(passed: Readable): void },
): Promise<void> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk)
  } catch {
    return // The function was killed while it sent this.
  }
  const body = Buffer.concat(chunks)
  const target = String(request.headers['x-amz-target'])
  const message = gate.refusal(caller, dynamodbAccess(target, parseJson(body.toString())))
  if (message === undefined) {
    const { headers, method, url } = request
    pass(Object.assign(Readable.from([body], { objectMode: false }), { headers, method, url }))
    return
  }
  const refusal = { __type: 'com.amazon.coral.service#AccessDeniedException', Message: message }
  response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end(JSON.stringify(refusal))
}

/** Opens the store once by itself: dynalite would open it late and throw what is wrong with it where nobody can catch it. */
async function checkStore(folder: string): Promise<void> {
  const { Level } = levelOfDynalite()
  const store = new Level(folder)
  try {
    await store.open()
  } catch (error) {
    throw new LocalError(
      errorCodeOf(error) === 'LEVEL_LOCKED'
        ? `The data folder ${folder} is in use by another Postroom.`
        : `The data folder ${folder} is damaged or cannot be read: dynalite's store does not open.`,
      { cause: error },
    )
  }
  await store.close()
}

/** The very copy of `level` that dynalite opens its store with. */
function levelOfDynalite(): {
  Level: new (folder: string) => { open(): Promise<void>; close(): Promise<void> }
} {
  return createRequire(import.meta.resolve('dynalite'))('level')
}

/**
 * Makes a table as its resource describes it, unless it is there. Left out is what dynalite refuses or does not know:
 * time to live (readers check expiry themselves), recovery, deletion protection, encryption.
 * @throws LocalError if a table of an earlier version lacks an index
 */
export async function ensureTable(
  endpoint: string,
  table: { name: string; properties: JsonObject },
): Promise<void> {
  const { name, properties } = table
  const indexes = listOf(properties.GlobalSecondaryIndexes).filter(isObject)
  const existing = await describe(endpoint, name)
  if (existing) {
    const names = listOf(existing.GlobalSecondaryIndexes).map(index => objectOf(index).IndexName)
    const missing = indexes.find(index => !names.includes(index.IndexName))
    if (missing === undefined) return
    throw new LocalError(
      `The table ${name} of the data folder is from an earlier version and lacks the index ${textOf(missing.IndexName)}.`,
    )
  }
  await callJson(endpoint, {
    target: 'DynamoDB_20120810.CreateTable',
    input: {
      TableName: name,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: properties.AttributeDefinitions,
      KeySchema: properties.KeySchema,
      // dynalite refuses an empty list.
      GlobalSecondaryIndexes:
        indexes.length === 0
          ? undefined
          : indexes.map(({ IndexName, KeySchema, Projection }) => ({ IndexName, KeySchema, Projection })),
    },
  })
  await becomesActive(endpoint, name)
}

async function describe(endpoint: string, name: string): Promise<JsonObject | undefined> {
  try {
    const answer = await callJson(endpoint, {
      target: 'DynamoDB_20120810.DescribeTable',
      input: { TableName: name },
    })
    return objectOf(answer.Table)
  } catch (error) {
    if (error instanceof EngineError && error.code === 'ResourceNotFoundException') return undefined
    throw error
  }
}

/** dynalite makes a table usable a moment after it answered CreateTable. */
async function becomesActive(endpoint: string, name: string): Promise<void> {
  const deadline = Date.now() + 5_000
  while ((await describe(endpoint, name))?.TableStatus !== 'ACTIVE') {
    if (Date.now() > deadline) throw new LocalError(`The table ${name} could not be made within 5 seconds.`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}
