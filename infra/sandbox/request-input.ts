/** Checks what a program or a form sent, and names the field that is wrong. */
import type * as v from 'valibot'
import { check } from '../../functions/channel/schema-check.ts'
import { RequestError } from './http-exchange.ts'

/**
 * The input as the schema has it.
 *
 * @throws {RequestError} 400 naming the field
 */
export function parseInput<S extends v.GenericSchema>(schema: S, input: unknown): v.InferOutput<S> {
  const result = check(schema, input)
  if (result.success) return result.data
  const [broken] = result.broken
  const field = broken?.path.join('.') || 'body'
  throw new RequestError(`${field}: ${broken?.rule ?? 'is wrong'}`, { status: 400, field })
}

/** @throws {RequestError} 400 where the body is no JSON */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new RequestError('The body must be JSON', { status: 400, field: 'body' })
  }
}
