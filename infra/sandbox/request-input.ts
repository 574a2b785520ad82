/** Checks what a program or a form sent, and names the field that is wrong. */
import type { z } from 'zod'
import { RequestError } from './http-exchange.ts'

/**
 * The input as the schema has it.
 *
 * @throws {RequestError} 400 naming the field
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
  const path = issue?.path.join('.')
  const field = unknown ?? (path ? path : 'body')
  throw new RequestError(`${field}: ${issue?.message ?? 'is wrong'}`, { status: 400, field })
}

/** @throws {RequestError} 400 where the body is no JSON */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new RequestError('The body must be JSON', { status: 400, field: 'body' })
  }
}
