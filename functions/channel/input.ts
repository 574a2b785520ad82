/** Checks what enters against a schema, and says of each broken rule which field, which rule, what was found. */

import type * as v from 'valibot'
import { type FaultCode, PostroomError } from './faults.ts'
import { check } from './schema-check.ts'

/** Values of these fields are never repeated, not even in part: they hold mail or secrets. */
const silentFields = new Set(['text', 'html', 'content'])
/**
 * Also of fields that are none: whoever misspells one has put the secret into it all the same. Where a token is to be had, and
 * when a secret ends, is none.
 */
const secretField = /(token|secret|password)(?!Endpoint$|Url$|ExpiresAt$)/i
const isSilent = (name: string) => silentFields.has(name) || secretField.test(name)

const foundLimit = 80
const looksUnquoted = /^(-?\d+(\.\d+)?|true|false|null|)$/

/**
 * @throws PostroomError with the given code (default `request_invalid`) naming every broken field
 */
export function parseInput<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  code: FaultCode = 'request_invalid',
): v.InferOutput<S> {
  const result = check(schema, value)
  if (result.success) return result.data
  throw new PostroomError(code, {
    errors: result.broken.map(({ path, rule }) => ({
      field: path.join('.') || 'body',
      rule,
      found: show(path, value),
    })),
  })
}

function show(path: readonly PropertyKey[], value: unknown): string {
  if (path.some(step => isSilent(String(step)))) return '(not shown)'
  let found: unknown = value
  for (const step of path) {
    found = typeof found === 'object' && found !== null ? Reflect.get(found, step) : undefined
  }
  return showValue(found)
}

/** One short line for any value, safe to repeat to the caller. */
export function showValue(found: unknown): string {
  if (found === undefined) return 'nothing'
  if (Array.isArray(found)) return `a list of ${found.length}`
  if (typeof found === 'object' && found !== null) return `an object`
  // `5` in quotes is text where a number was wanted, which else would look right.
  const text = typeof found === 'string' && looksUnquoted.test(found) ? `"${found}"` : String(found)
  return text.length > foundLimit ? `${text.slice(0, foundLimit)}…` : text
}
