/** Finds the route of a request, and reads its body and query. */

import { z } from 'zod'
import { PostroomError } from '../channel/faults.ts'
import { bodyText, type HttpAnswer, type HttpRequest } from '../channel/http.ts'
import { parseInput } from '../channel/input.ts'
import type { ApiServices } from './api.ts'

export interface Call {
  request: HttpRequest
  /** The values of the pattern's `{names}`. */
  parameters: Record<string, string>
  services: ApiServices
}

export interface Route {
  method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Such as `/v1/channels/{id}`. */
  pattern: string
  answer(call: Call): Promise<HttpAnswer>
}

/** @throws PostroomError `route_not_found`, `method_not_allowed` */
export function findRoute(routes: Route[], method: string, path: string) {
  const matches = routes.flatMap(route => {
    const parameters = match(route.pattern, path)
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

export const accountIdSchema = z.string().regex(/^[A-Za-z0-9][\w.:@-]{0,127}$/, {
  message: 'must be 1 to 128 letters, digits or . : @ _ -, beginning with a letter or digit',
})

const defaultLimit = 20
export const limitSchema = z.coerce
  .number({ message: 'must be a number' })
  .int({ message: 'must be a whole number' })
  .min(1, { message: 'must be at least 1' })
  .max(100, { message: 'must be at most 100' })
  .default(defaultLimit)

/** A cursor is the place in a list, wrapped so that nobody builds one by hand. */
export const cursorSchema = z
  .string()
  .transform(text => Buffer.from(text, 'base64url').toString('utf8'))
  .refine(place => /^[\x20-\x7e]{1,400}$/.test(place), { message: 'must be a cursor from an earlier answer' })

export function writeCursor(place: string | null): string | null {
  return place === null ? null : Buffer.from(place).toString('base64url')
}

/** @throws PostroomError `request_invalid` naming the parameter */
export function readQuery<S extends z.ZodType>(request: HttpRequest, schema: S): z.output<S> {
  return parseInput(schema, request.queryStringParameters ?? {})
}
