/**
 * Checks a value against a schema. The only way to do so here: Valibot's own `parse` and `safeParse` repeat what they found
 * in their messages, which may be a secret or a mail; the rules said here never do.
 */

import * as v from 'valibot'

export interface BrokenRule {
  path: readonly (string | number)[]
  /** What the value has to be, such as `must be a string`. */
  rule: string
}

export type Checked<T> =
  | { success: true; data: T }
  | { success: false; data?: undefined; broken: BrokenRule[] }

/** All that is broken, in the order of the schema; of fields that nobody knows only the first of each object. */
export function check<S extends v.GenericSchema>(schema: S, value: unknown): Checked<v.InferOutput<S>> {
  // Valibot takes a list for an object that happens to have no fields.
  if (Array.isArray(value) && 'entries' in schema)
    return { success: false, broken: [{ path: [], rule: 'must be an object' }] }
  const { success, output, issues } = v.safeParse(schema, value, { message: ruleOf })
  if (success) return { success, data: output }
  const pathOf = (issue: v.BaseIssue<unknown>) => (issue.path ?? []).map(({ key }) => key as string | number)
  const broken = issues.map(issue => ({ path: pathOf(issue), rule: issue.message }))
  const words = broken.map(inWords)
  // Two checks may say the same of one value: that is said once.
  return { success, broken: broken.filter((_, index) => words.indexOf(words[index] ?? '') === index) }
}

/** @throws Error that names the first broken rule: for what is wrong only if we are, or another release of ours */
export function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = check(schema, value)
  if (result.success) return result.data
  throw new Error(result.broken.slice(0, 1).map(inWords).join())
}

/** Such as `candidate.login.imap: must be given`. */
export function inWords({ path, rule }: BrokenRule): string {
  return path.length > 0 ? `${path.join('.')}: ${rule}` : rule
}

const nouns: Record<string, string> = {
  string: 'a string',
  number: 'a number',
  boolean: 'true or false',
  Object: 'an object',
  Array: 'a list',
}

const rules: Record<string, (requirement: unknown) => string> = {
  min_length: least => `must have at least ${least}`,
  max_length: most => `must have at most ${most}`,
  min_value: least => `must be at least ${least}`,
  max_value: most => `must be at most ${most}`,
  starts_with: text => `must begin with ${text}`,
  regex: pattern => `must match ${pattern}`,
  rfc_email: () => 'must be a mail address',
  url: () => 'must be a URL',
}

/** Where a schema does not say it itself. */
function ruleOf({ type, expected, received, requirement }: v.BaseIssue<unknown>): string {
  // What objects say of their keys: no such key is expected, or one is and there is nothing.
  if (expected === 'never') return 'is not a known field'
  if (/object$/.test(type) && expected !== 'Object' && received === 'undefined') return 'must be given'
  const rule = rules[type]
  if (rule) return rule(requirement)
  if (expected?.startsWith('('))
    return `must be one of ${expected.slice(1, -1).replaceAll('"', '').replaceAll(' | ', ', ')}`
  return `must be ${nouns[expected ?? ''] ?? expected ?? 'otherwise'}`
}
