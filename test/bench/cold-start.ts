/** The deployed functions' files, an event for each that needs one look into an empty table, and how one starts cold. */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { placeResources } from '../../infra/local/deployment.ts'
import type { FunctionDefinition } from '../../infra/local/execution-environment.ts'
import { defineFunction } from '../../infra/local/functions.ts'
import { identify } from '../../infra/local/identities.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { createResolve, readAssembly } from '../../infra/local/template.ts'
import { assemblyFolder } from '../support/cache.ts'

export interface ColdFunction {
  name: string
  /** Its `index.mjs`. */
  file: string
  environment: Record<string, string>
  event: object
}

export type DeployedFunction = FunctionDefinition & ColdFunction

const http = (path: string, more: object = {}) => ({
  version: '2.0',
  rawPath: path,
  rawQueryString: '',
  headers: {},
  requestContext: {
    http: { method: 'GET', path, sourceIp: '192.0.2.1' },
    authorizer: { iam: { userArn: 'arn:x' } },
  },
  ...more,
})
const ticket = 'cs_aaaaaaaaaaaaaaaaaaaaaaaaaa.none'
const queued = (body: object) => ({
  Records: [{ messageId: '1', receiptHandle: '1', body: JSON.stringify(body), attributes: {} }],
})

/** Each finds nothing: a cold start is loading, building and the first call, not the work. */
const events: Record<string, object> = {
  Connect: http(`/connect/${ticket}`, { routeKey: 'GET /connect/{ticket}', pathParameters: { ticket } }),
  Api: http('/v1/channels/ch_aaaaaaaaaaaaaaaaaaaaaaaaaa'),
  Send: queued({ channelId: 'ch_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
  Fetch: queued({ channelIds: ['ch_aaaaaaaaaaaaaaaaaaaaaaaaaa'], intervals: [5] }),
  NotifyWebhooks: queued({ webhookId: 'wh_aaaaaaaaaaaaaaaaaaaaaaaaaa' }),
  Schedule: {},
}

/** @param url of what stands in for AWS */
export async function deployedFunctions(url: string): Promise<DeployedFunction[]> {
  const assembly = await readAssembly(await synthesize({ folder: assemblyFolder }))
  const identities = identify(assembly, { url: 'http://localhost', aws: url })
  const resources = placeResources(assembly, { identities, resolve: createResolve(assembly, identities) })
  const surroundings = { assembly, endpoints: { aws: url, dynamodb: url, kms: url }, overrides: {} }
  return resources
    .filter(({ type }) => type === 'AWS::Lambda::Function')
    .flatMap(resource => defineFunction(resource, resource.identity, surroundings) ?? [])
    .flatMap(definition => {
      const event = events[definition.name]
      return event ? [{ ...definition, event }] : []
    })
}

export interface ColdStart {
  /** By the clock that all processes of a machine have in common. */
  begunAtMs: number
  initMs: number
  firstMs: number
  /** Of both, on all threads. */
  cpuMs: number
  residentMebibytes: number
}

/** @param program cold-process.ts as plain JavaScript: types would have to be stripped at each start */
export async function startCold(
  program: string,
  { file, environment, event }: ColdFunction,
): Promise<ColdStart> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, file, JSON.stringify(event)], {
    env: { PATH: process.env.PATH, ...environment },
  })
  // The line is the last: before it stands what the function logs.
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
}

export interface BundleSize {
  files: number
  bytes: number
  gzippedBytes: number
}

/** What a cold start reads: the bundle and each file that it imports at once. What is imported within a call is not in it. */
export async function sizeAtStart(file: string): Promise<BundleSize> {
  const read = new Map<string, Buffer>()
  async function follow(one: string): Promise<void> {
    if (read.has(one)) return
    const content = await readFile(one)
    read.set(one, content)
    // `import"./a.mjs"` and `from"./a.mjs"`; a lazy one has a bracket: `import("./a.mjs")`.
    for (const [, name = ''] of content.toString().matchAll(/(?:\bfrom|\bimport)\s*"\.\/([^"]+\.mjs)"/g)) {
      await follow(join(dirname(one), name))
    }
  }
  await follow(file)
  const contents = [...read.values()]
  return {
    files: contents.length,
    bytes: contents.reduce((sum, content) => sum + content.length, 0),
    gzippedBytes: contents.reduce((sum, content) => sum + gzipSync(content).length, 0),
  }
}

/** SQS: what the client compares with what it sent. */
const received = (text: string) => ({
  MessageId: '1',
  MD5OfMessageBody: createHash('md5').update(JSON.parse(text).MessageBody).digest('hex'),
})

export interface EmptyCloud {
  url: string
  /** When each request so far was answered, by the clock of `begunAtMs`. */
  answeredAtMs(): readonly number[]
  /** Connections so far. */
  connections(): number
  close(): void
}

/**
 * Stands in for all of AWS, and knows nothing: every read finds an empty table, every write is done. By TLS, as AWS is
 * called: Node's module for plain HTTP alone would cost each start as much as 40 ms.
 */
export async function startEmptyCloud(certificate: { key: string; cert: string }): Promise<EmptyCloud> {
  const answers: Record<string, object> = {
    Query: { Items: [], Count: 0 },
    BatchGetItem: { Responses: {}, UnprocessedKeys: {} },
  }
  const answeredAtMs: number[] = []
  const server = createServer(certificate, (request, response) => {
    const operation =
      String(request.headers['x-amz-target'] ?? '')
        .split('.')
        .at(-1) ?? ''
    let text = ''
    request.setEncoding('utf8').on('data', chunk => {
      text += chunk
    })
    request.on('end', () => {
      response.setHeader('content-type', 'application/x-amz-json-1.0')
      response.end(
        JSON.stringify(answers[operation] ?? { ...(operation === 'SendMessage' && received(text)) }),
      )
      answeredAtMs.push(performance.timeOrigin + performance.now())
    })
  })
  // Whoever comes back, however late, finds its connection as it was.
  server.keepAliveTimeout = 0
  let connections = 0
  server.on('secureConnection', () => {
    connections += 1
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answeredAtMs: () => answeredAtMs,
    connections: () => connections,
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}
