/** Requests as API Gateway hands them to a function (payload format 2.0), and answers as a program reads them. */

import * as v from 'valibot'
import type { HttpAnswer, HttpRequest } from '../../functions/channel/http.ts'
import { parse } from '../../functions/channel/schema-check.ts'
import { integer } from '../../functions/channel/single-values.ts'

export interface RequestParts {
  routeKey?: string
  body?: unknown
  query?: Record<string, string>
  headers?: Record<string, string>
  cookies?: string[]
  pathParameters?: Record<string, string>
  /** Claims of a verified token. Without them, the request is the operator's, signed with IAM. */
  claims?: Record<string, unknown>
}

/** @param call such as `GET /v1/channels` */
export function httpRequest(call: string, parts: RequestParts = {}): HttpRequest {
  const [method = '', path = ''] = call.split(' ')
  const { routeKey = call, body, query, headers = {}, cookies, pathParameters, claims } = parts
  const authorizer = claims ? { jwt: { claims, scopes: null } } : { iam: { userId: 'operator' } }
  const request = {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: new URLSearchParams(query).toString(),
    headers,
    cookies,
    queryStringParameters: query,
    pathParameters,
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    isBase64Encoded: false,
    requestContext: {
      accountId: '',
      apiId: '',
      domainName: 'localhost',
      domainPrefix: '',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '127.0.0.1', userAgent: '' },
      requestId: '',
      routeKey,
      stage: '$default',
      time: '',
      timeEpoch: 0,
      authorizer,
    },
  }
  return request
}

/** RFC 9457, as this API fills it. */
const problemSchema = v.strictObject({
  type: v.literal('about:blank'),
  title: v.pipe(v.string(), v.minLength(1)),
  status: integer,
  code: v.string(),
  actor: v.string(),
  detail: v.string(),
  errors: v.array(v.strictObject({ field: v.string(), rule: v.string(), found: v.string() })),
})

/** @throws Error if the answer is no problem document whose status is its own */
export function problemOf(answer: HttpAnswer) {
  const problem = parse(problemSchema, JSON.parse(answer.body ?? ''))
  if (answer.headers?.['content-type'] !== 'application/problem+json')
    throw new Error('The content type is another')
  if (answer.statusCode !== problem.status)
    throw new Error(`${problem.status} says it, ${answer.statusCode} is it`)
  return problem
}

/** The body of a JSON answer, for a test to look into. */
export function jsonOf(answer: HttpAnswer) {
  return parse(v.record(v.string(), v.any()), JSON.parse(answer.body ?? ''))
}
