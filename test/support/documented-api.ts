/** The API's own OpenAPI document, its operations, and requests made up from it. */

import fc from 'fast-check'
import { api } from '../../functions/api/api.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { connect } from '../../functions/connect/connect.ts'
import { httpRequest, jsonOf, type RequestParts } from './http-requests.ts'
import type { Workbench } from './workbench.ts'

// The document is JSON; a test looks into it as a client would.
// biome-ignore lint/suspicious/noExplicitAny: its shape is checked by the linter in openapi.test.ts
export type Json = any

export interface Operation {
  /** Such as `GET /v1/channels/{id}`. */
  name: string
  operation: Json
}

export async function readDocument(bench: Workbench): Promise<Json> {
  return jsonOf(await api(httpRequest('GET /v1/openapi.json'), bench))
}

export function operationsOf(document: Json): Operation[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )
}

const byConnect = /^DELETE \/v1\/channels\/[^/]+$|\/(probe|reconcile-login|import)$/

/** Whichever function stands behind the route answers. */
export function callDocumented(bench: Workbench, call: string, parts: RequestParts): Promise<HttpAnswer> {
  return (byConnect.test(call) ? connect : api)(httpRequest(call, parts), bench)
}

/** What one call is made up of, some of it right, much of it wrong. */
export function requestsFor({ name, operation }: Operation, document: Json, ids: string[]) {
  const parameters: Json[] = operation.parameters ?? []
  const inPath = parameters.filter(parameter => parameter.in === 'path').map(({ name }) => name)
  const others = (place: string) =>
    fc.record(
      Object.fromEntries(
        parameters
          .filter(parameter => parameter.in === place)
          .map(({ name, schema }) => [
            name,
            fc.oneof(valuesOf(schema, document).map(String), fc.string({ maxLength: 30 })),
          ]),
      ),
      { requiredKeys: [] },
    )
  const schema = operation.requestBody?.content['application/json'].schema
  const body = schema
    ? fc.oneof(
        { weight: 6, arbitrary: valuesOf(schema, document) },
        { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
        { weight: 1, arbitrary: fc.string() },
      )
    : fc.constant(undefined)
  const segment = fc.oneof(fc.constantFrom(...ids), fc.string({ minLength: 1 }).map(encodeURIComponent))
  return fc.record({
    call: fc
      .record(Object.fromEntries(inPath.map(name => [name, segment])))
      .map(values => name.replace(/\{(\w+)\}/g, (_, key) => String(Reflect.get(values, key)))),
    parts: fc.record({ query: others('query'), headers: others('header'), body }),
  })
}

/** Values a schema allows; where it uses what is not understood here, any JSON. */
function valuesOf(schema: Json, document: Json): fc.Arbitrary<unknown> {
  if (schema.$ref) return valuesOf(pointed(document, schema.$ref), document)
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  const choices = schema.anyOf ?? schema.oneOf
  if (choices) return fc.oneof(...choices.map((choice: Json) => valuesOf(choice, document)))
  if (Array.isArray(schema.type)) {
    return fc.oneof(...schema.type.map((type: string) => valuesOf({ ...schema, type }, document)))
  }
  switch (schema.type) {
    case 'string':
      return stringsOf(schema)
    case 'integer':
    case 'number':
      return fc.integer({ min: schema.minimum ?? -10, max: schema.maximum ?? 1_000 })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(valuesOf(schema.items ?? {}, document), { maxLength: 3 })
    case 'object':
      return objectsOf(schema, document)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function stringsOf({ format, minLength = 0, maxLength = 60 }: Json): fc.Arbitrary<string> {
  const likely = fc.constantFrom('acme', 'microsoft', 'ada@contoso.example', 'aGk=', 'X-A', 'text/plain')
  const any = fc.string({ minLength, maxLength: Math.min(maxLength, 60), unit: 'grapheme' })
  if (format === 'date-time')
    return fc.oneof(
      fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
      any,
    )
  if (format === 'email') return fc.oneof(fc.emailAddress(), any)
  if (format === 'uri') return fc.oneof(fc.webUrl(), any)
  return fc.oneof(likely, any)
}

function objectsOf(schema: Json, document: Json): fc.Arbitrary<unknown> {
  const known: [string, fc.Arbitrary<unknown>][] = Object.entries<Json>(schema.properties ?? {}).map(
    ([name, property]) => [name, valuesOf(property, document)],
  )
  const required: string[] = schema.required ?? []
  const stranger = fc.oneof({ weight: 9, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: fc.object() })
  return fc
    .tuple(
      fc.record<Record<string, unknown>>(Object.fromEntries(known), { requiredKeys: required }),
      stranger,
    )
    .map(([object, more]) => ({ ...more, ...object }))
}

function pointed(document: Json, ref: string): Json {
  return ref
    .replace(/^#\//, '')
    .split('/')
    .reduce((value, step) => value[step], document)
}
