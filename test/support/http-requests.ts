/** Requests as API Gateway hands them to a function (payload format 2.0), and answers as a program reads them. */

import * as z from 'zod'
import type { HttpAnswer, HttpRequest } from '../../functions/channel/http.ts'

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
const problemSchema = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string().min(1),
  status: z.int(),
  code: z.string(),
  actor: z.string(),
  detail: z.string(),
  errors: z.array(z.strictObject({ field: z.string(), rule: z.string(), found: z.string() })),
})

/** @throws Error if the answer is no problem document whose status is its own */
export function problemOf(answer: HttpAnswer) {
  const problem = problemSchema.parse(JSON.parse(answer.body ?? ''))
  if (answer.headers?.['content-type'] !== 'application/problem+json')
    throw new Error('The content type is another')
  if (answer.statusCode !== problem.status)
    throw new Error(`${problem.status} says it, ${answer.statusCode} is it`)
  return problem
}

/** The body of a JSON answer, for a test to look into. */
export function jsonOf(answer: HttpAnswer) {
  return z.record(z.string(), z.any()).parse(JSON.parse(answer.body ?? ''))
}
