/** The HTTP API on this machine: checks who calls, finds the route, asks the function, writes its answer. */

import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { FunctionError } from './function-error.ts'
import type { FunctionPool } from './function-pool.ts'
import { localCaller, toAnswer, toEvent } from './http-event.ts'
import { findRoute, isUnderProtectedRoute, type Match, type Route, splitPath } from './http-routes.ts'
import { namesThisMachine } from './loopback.ts'
import { type HttpAnswer, problem } from './problem.ts'
import { claimsOf, type TokenRules } from './token-check.ts'

export interface PageRequest {
  method: string
  /** Decoded, without the query. */
  path: string
  headers: IncomingMessage['headers']
}

export interface HttpApiOptions {
  port: number
  apiKey: string
  routes: Route<FunctionPool>[]
  /** Answers paths that no route takes. */
  pages?(request: PageRequest): HttpAnswer | undefined
  now(): number
  log(line: object): void
}

/** API Gateway's limit. */
const maxBodyBytes = 10 * 1024 * 1024
/** Lambda's own limit for an event and for a result, which a gateway's callers meet before the ten megabytes. */
const maxLambdaPayloadBytes = 6 * 1024 * 1024
/** An HTTP API gives an integration up to 30 seconds. */
const integrationTimeoutMs = 30_000

type Listener = (request: IncomingMessage, response: ServerResponse) => void

export function createHttpApi(options: HttpApiOptions): Listener {
  return (request, response) => {
    answerRequest(request, options)
      .catch(error => {
        options.log({ level: 'error', message: String(error) })
        return problem('function_failed', 'The server failed to handle the request.')
      })
      .then(answer => writeAnswer(response, answer))
  }
}

async function answerRequest(request: IncomingMessage, options: HttpApiOptions): Promise<HttpAnswer> {
  if (!namesThisMachine(request, options.port)) {
    return problem('host_not_allowed', `This server answers to localhost:${options.port} only.`)
  }
  const target = parseTarget(request.url ?? '')
  if (!target) return problem('bad_request', 'The request target is not a path with valid percent-encoding.')
  const { path, segments } = target
  const method = request.method ?? ''

  const match = findRoute(options.routes, { method, segments })
  let authorizer: object | null = null
  if (match?.route.isProtected || isUnderProtectedRoute(options.routes, path)) {
    authorizer = await authorize(request, match?.route.token, options.apiKey)
    if (!authorizer) return problem('unauthorized', 'Send the API key as "Authorization: Bearer KEY".')
  }
  if (match) return callFunction(request, { ...target, match, authorizer }, options)
  const page = options.pages?.({ method, path, headers: request.headers })
  return page ?? problem('not_found', `There is nothing at ${method} ${path}.`)
}

interface Target {
  path: string
  segments: string[]
  query: string
}

/** @returns undefined for anything but an absolute path with an optional query */
function parseTarget(url: string): Target | undefined {
  if (!url.startsWith('/')) return undefined
  const end = url.indexOf('?')
  const rawPath = end === -1 ? url : url.slice(0, end)
  try {
    return {
      path: decodeURIComponent(rawPath),
      // A slash that came encoded does not separate.
      segments: splitPath(rawPath).map(decodeURIComponent),
      query: end === -1 ? '' : url.slice(end + 1),
    }
  } catch {
    return undefined
  }
}

/** Who calls, as API Gateway would tell the function; null for nobody it knows. */
async function authorize(
  request: IncomingMessage,
  rules: TokenRules | undefined,
  apiKey: string,
): Promise<object | null> {
  if (!rules) return holdsKey(request, apiKey) ? { iam: localCaller } : null
  const claims = await claimsOf(bearerOf(request) ?? '', rules)
  return claims ? { jwt: { claims, scopes: null } } : null
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
}

/** Compares hashes, which are of one length, in constant time: how long it takes tells nothing about the key. */
function holdsKey(request: IncomingMessage, apiKey: string): boolean {
  const given = bearerOf(request)
  if (given === undefined) return false
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(given), hash(apiKey))
}

async function callFunction(
  request: IncomingMessage,
  target: Target & { match: Match<FunctionPool>; authorizer: object | null },
  options: HttpApiOptions,
): Promise<HttpAnswer> {
  const { match } = target
  const { route } = match
  const pool = route.target
  const name = pool.definition.name

  const body = await readBody(request)
  if (!body) {
    return problem('payload_too_large', `A request body may have ${maxBodyBytes / 1024 / 1024} MB at most.`)
  }
  if (body.length > maxLambdaPayloadBytes) warnOfLimit(options, { name, bytes: body.length, what: 'request' })

  const event = toEvent({
    message: request,
    path: target.path,
    query: target.query,
    pathParameters: match.pathParameters,
    routeKey: route.routeKey,
    authorizer: target.authorizer,
    body,
    nowMs: options.now(),
  })
  try {
    const answer = toAnswer(await withinIntegrationTimeout(pool.invoke(event)))
    if (!answer)
      throw new FunctionError({
        errorType: 'MalformedResponse',
        errorMessage: 'statusCode is no HTTP status',
      })
    if (answer.body.length > maxLambdaPayloadBytes) {
      warnOfLimit(options, { name, bytes: answer.body.length, what: 'response' })
    }
    return answer
  } catch (error) {
    if (!(error instanceof FunctionError)) throw error
    const { errorType, errorMessage, trace } = error
    options.log({ level: 'error', function: name, errorType, errorMessage, trace })
    return problem('function_failed', `The function ${name} failed (${errorType}).`)
  }
}

/** The function itself goes on, as it would on AWS. */
async function withinIntegrationTimeout(result: Promise<unknown>): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_, reject) => {
    const errorMessage = `no answer within ${integrationTimeoutMs / 1000} seconds`
    timer = setTimeout(
      () => reject(new FunctionError({ errorType: 'IntegrationTimeout', errorMessage })),
      integrationTimeoutMs,
    )
  })
  return Promise.race([result, timeout]).finally(() => clearTimeout(timer))
}

/**
 * Reads the whole body, and forgets what is beyond the limit: a caller still sending would not read an early answer.
 * @returns undefined if the body is too large
 */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes <= maxBodyBytes) chunks.push(chunk)
    else chunks.length = 0
  }
  return bytes > maxBodyBytes ? undefined : Buffer.concat(chunks)
}

function warnOfLimit(options: HttpApiOptions, call: { name: string; bytes: number; what: string }): void {
  const message = `a ${call.what} of ${call.bytes} bytes passes here, but Lambda refuses more than 6 MB`
  options.log({ level: 'warn', function: call.name, message })
}

function writeAnswer(response: ServerResponse, answer: HttpAnswer): void {
  try {
    response.writeHead(answer.status, answer.headers).end(answer.body)
  } catch {
    // A function may name headers that HTTP does not allow.
    const { status, headers, body } = problem('function_failed', 'The function returned an invalid header.')
    response.writeHead(status, headers).end(body)
  }
}
