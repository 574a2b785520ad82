/** What a function behind an HTTP API is given and gives back: payload format 2.0. */

import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { isObject, objectOf, textOf } from './json-shape.ts'
import type { HttpAnswer } from './problem.ts'
import { account } from './template.ts'

export interface HttpRequest {
  message: IncomingMessage
  /** Decoded, without the query: HTTP APIs hand over `rawPath` decoded, whatever its name says. */
  path: string
  /** Still encoded, without the question mark. */
  query: string
  pathParameters: Record<string, string>
  routeKey: string
  /** Who called, as API Gateway says it; null where nobody must say. */
  authorizer: object | null
  body: Buffer
  nowMs: number
}

/** Headers about one connection, which a gateway does not pass on. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

/** @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html */
export function toEvent(request: HttpRequest): APIGatewayProxyEventV2 {
  const { message, path, query, pathParameters, routeKey, body, nowMs } = request
  const headers = headersOf(request)
  const cookies = message.headers.cookie?.split(';').map(cookie => cookie.trim())
  const isText = isTextual(headers)
  const domainName = (headers.host ?? '').replace(/:\d+$/, '')

  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: query,
    ...(cookies && { cookies }),
    headers,
    ...(query !== '' && { queryStringParameters: joinRepeated(new URLSearchParams(query)) }),
    requestContext: {
      accountId: account,
      apiId: 'local',
      ...(request.authorizer && { authorizer: request.authorizer }),
      domainName,
      domainPrefix: domainName.split('.')[0] ?? '',
      http: {
        method: message.method ?? '',
        path,
        protocol: `HTTP/${message.httpVersion}`,
        sourceIp: message.socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId: randomUUID(),
      routeKey,
      stage: '$default',
      // Common log format: 24/Nov/2026:03:13:00 +0000
      time: new Date(nowMs)
        .toUTCString()
        .replace(/^\w+, (\d+) (\w+) (\d+) ([\d:]+) GMT$/, '$1/$2/$3:$4 +0000'),
      timeEpoch: nowMs,
    },
    ...(Object.keys(pathParameters).length > 0 && { pathParameters }),
    ...(body.length > 0 && { body: body.toString(isText ? 'utf8' : 'base64') }),
    isBase64Encoded: body.length > 0 && !isText,
  }
}

/** On AWS the one who signed the request; the local key stands for one user. */
export const localCaller = {
  accessKey: 'local',
  accountId: account,
  callerId: 'local',
  cognitoIdentity: null,
  principalOrgId: null,
  userArn: `arn:aws:iam::${account}:user/local`,
  userId: 'local',
}

function headersOf({ message, authorizer }: HttpRequest): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    // Cookies have their own field.
    if (values === undefined || hopByHop.has(name) || name === 'cookie') continue
    // The key is for this server alone; a function that logs its event must not log it.
    if (authorizer && name === 'authorization') continue
    headers[name] = values.join(',')
  }
  const forwardedFor = [headers['x-forwarded-for'], message.socket.remoteAddress].filter(Boolean)
  headers['x-forwarded-for'] = forwardedFor.join(', ')
  headers['x-forwarded-proto'] = 'http'
  headers['x-forwarded-port'] = String(message.socket.localPort ?? '')
  return headers
}

/** A form (application/x-www-form-urlencoded) is not text here: it reaches the function in base64, as on AWS. */
function isTextual(headers: Record<string, string>): boolean {
  if (headers['content-encoding']) return false
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase() ?? ''
  return /^(text\/.+|application\/(json|javascript|xml|.+\+json|.+\+xml))$/.test(type)
}

function joinRepeated(parameters: URLSearchParams): Record<string, string> {
  const joined: Record<string, string> = {}
  for (const name of new Set(parameters.keys())) joined[name] = parameters.getAll(name).join(',')
  return joined
}

/**
 * Turns a function's result into an answer. An object without `statusCode` is itself the body of a 200, a string too.
 * @returns undefined if the result is malformed
 */
export function toAnswer(result: unknown): HttpAnswer | undefined {
  if (!isObject(result) || result.statusCode === undefined) {
    const body = typeof result === 'string' ? result : JSON.stringify(result)
    return { status: 200, headers: { 'content-type': 'application/json' }, body }
  }
  const status = Number(result.statusCode)
  if (!Number.isInteger(status) || status < 200 || status > 599) return undefined

  const headers: Record<string, string | string[]> = { 'content-type': 'text/plain; charset=utf-8' }
  for (const [name, value] of Object.entries(objectOf(result.headers))) {
    if (value !== undefined && value !== null) headers[name.toLowerCase()] = String(value)
  }
  // The server frames the answer itself.
  for (const name of [...hopByHop, 'content-length']) delete headers[name]
  if (Array.isArray(result.cookies)) headers['set-cookie'] = result.cookies.map(String)

  const body = textOf(result.body) ?? (result.body == null ? '' : JSON.stringify(result.body))
  return { status, headers, body: result.isBase64Encoded === true ? Buffer.from(body, 'base64') : body }
}
