/** A call of the HTTP API as data: what checks a request, finds its code and documents it is one and the same. */

import type * as v from 'valibot'
import { type Caller, type Viewable, viewOf } from './caller.ts'
import { type FaultCode, PostroomError } from './faults.ts'
import { bodyText, type HttpAnswer, type HttpRequest } from './http.ts'
import { parseInput } from './input.ts'

export interface Endpoint {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Such as `/v1/channels/{id}`. */
  path: string
  /** Name of the call in the OpenAPI document: what generated clients call their functions. */
  operationId: string
  summary: string
  query?: v.GenericSchema
  /** Headers that belong to the call, lower case. Checked by whoever reads them. */
  headers?: v.GenericSchema
  body?: v.GenericSchema
  /** An absent body then counts as `{}`. */
  bodyIsOptional?: boolean
  /** The handler checks the body itself, because the same document also comes another way. */
  bodyIsUnchecked?: boolean
  answer: Answer
  /** What can go wrong, beside what can go wrong with every call. */
  faults: FaultCode[]
}

/** A JSON document, or bytes of this media type: those that are too many for Lambda come from S3, by a redirect. */
type Answer =
  | { status: 200 | 201 | 202; body: v.GenericSchema }
  | { status: 200; bytes: 'message/rfc822' | 'application/octet-stream' }

export interface Call<Services, E extends Endpoint = Endpoint> {
  request: HttpRequest
  /** The values of the path's `{names}`. */
  parameters: Record<string, string>
  query: E['query'] extends v.GenericSchema ? v.InferOutput<E['query']> : undefined
  body: E['bodyIsUnchecked'] extends true
    ? unknown
    : E['body'] extends v.GenericSchema
      ? v.InferOutput<E['body']>
      : undefined
  caller: Caller
  /** As far as the caller may see: what is another account's is not there. */
  services: Services
}

export interface Route<Services> extends Endpoint {
  answerTo(request: HttpRequest, context: CallContext<Services>): Promise<HttpAnswer>
}

interface CallContext<Services> {
  parameters: Record<string, string>
  caller: Caller
  services: Services
}

/**
 * Binds an endpoint to its code, which gets the query and the body checked and typed.
 * Its routes throw what parseInput() and readBody() throw, and what the code throws.
 */
export function routesWith<Services extends Viewable>() {
  return <const E extends Endpoint>(
    endpoint: E,
    answer: (call: Call<Services, E>) => Promise<HttpAnswer>,
  ): Route<Services> => ({
    ...endpoint,
    async answerTo(request, { parameters, caller, services }) {
      const call = {
        request,
        parameters,
        query: endpoint.query && parseInput(endpoint.query, request.queryStringParameters ?? {}),
        body: endpoint.body && checkedBody(endpoint, request),
        caller,
        services: viewOf(services, caller),
      }
      // The endpoint's own schemas have just made these the types that Call derives from them.
      return answer(call as Call<Services, E>)
    },
  })
}

function checkedBody({ body, bodyIsOptional, bodyIsUnchecked }: Endpoint, request: HttpRequest): unknown {
  const given = bodyIsOptional && bodyText(request) === '' ? {} : readBody(request)
  return body && !bodyIsUnchecked ? parseInput(body, given) : given
}

/** @throws PostroomError `route_not_found`, `method_not_allowed` */
export function findRoute<R extends Pick<Endpoint, 'method' | 'path'>>(
  routes: R[],
  method: string,
  path: string,
) {
  const matches = routes.flatMap(route => {
    const parameters = match(route.path, path)
    return parameters ? [{ route, parameters }] : []
  })
  const found = matches.find(({ route }) => route.method === method)
  if (found) return found
  if (matches.length === 0)
    throw new PostroomError('route_not_found', { errors: [fault('path', 'must be a call of the API', path)] })
  const allowed = matches.map(({ route }) => route.method).join(', ')
  throw new PostroomError('method_not_allowed', {
    allow: allowed,
    errors: [fault('method', `must be ${allowed}`, method)],
  })
}

function fault(field: string, rule: string, found: string) {
  return { field, rule, found: found.slice(0, 80) }
}

function match(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split('/')
  const given = path.split('/')
  if (wanted.length !== given.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [index, step] of wanted.entries()) {
    const value = given[index] ?? ''
    const name = /^\{(\w+)\}$/.exec(step)?.[1]
    if (name === undefined) {
      if (step !== value) return undefined
    } else {
      const decoded = decode(value)
      if (!decoded) return undefined
      parameters[name] = decoded
    }
  }
  return parameters
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** @throws PostroomError `json_invalid` */
export function readBody(request: HttpRequest): unknown {
  const text = bodyText(request)
  try {
    return JSON.parse(text)
  } catch {
    // What was found is not repeated: it may be a mail.
    const found = text === '' ? 'nothing' : `${Buffer.byteLength(text)} bytes`
    throw new PostroomError('json_invalid', { errors: [fault('body', 'must be a JSON object', found)] })
  }
}
