/** The template's own IAM policies: what each function's role allows, and whether a given access is among it. */

import type { PlacedResource } from './deployment.ts'
import { type JsonObject, listOf, objectOf, textOf } from './json-shape.ts'
import { plainName } from './template.ts'

export interface Statement {
  sid: string
  effect: string
  actions: string[]
  /** ARNs, perhaps with wildcards, intrinsics resolved. */
  resources: string[]
  /** As in the policy: operator → key → values. */
  conditions: Record<string, JsonObject>
}

export interface FunctionPolicy {
  /** For people: the construct's id, such as `Fetch`. */
  name: string
  /** Physical name, which is also the access key of its calls (gate.ts). */
  functionName: string
  statements: Statement[]
}

/** One thing that a call asks for. A call may ask for several, and needs them all. */
export interface Access {
  /** Such as `dynamodb:GetItem`. */
  action: string
  /** An ARN. */
  resource: string
  /** Condition keys that the service tells about the call, such as `kms:EncryptionContext:app`. */
  context: Record<string, string[]>
}

/**
 * Policies by physical name of the function. A function whose role is none of the template's is left out: there is
 * nothing to hold it to. Resource policies (queues, buckets, keys) are not read: within one account, a role's own
 * policy suffices.
 */
export function readPolicies(resources: PlacedResource[]): Map<string, FunctionPolicy> {
  const policies = new Map<string, FunctionPolicy>()
  for (const fn of resources.filter(({ type }) => type === 'AWS::Lambda::Function')) {
    const role = resources.find(
      ({ type, identity }) => type === 'AWS::IAM::Role' && identity.attributes.Arn === fn.properties.Role,
    )
    if (!role) continue
    const attached = resources.filter(
      ({ type, properties }) =>
        type === 'AWS::IAM::Policy' && listOf(properties.Roles).includes(role.identity.ref),
    )
    const inline = listOf(role.properties.Policies).map(policy => objectOf(policy).PolicyDocument)
    const documents = [...inline, ...attached.map(({ properties }) => properties.PolicyDocument)]
    policies.set(fn.identity.ref, {
      name: plainName(fn.logicalId),
      functionName: fn.identity.ref,
      statements: documents.flatMap(document => listOf(objectOf(document).Statement).map(readStatement)),
    })
  }
  return policies
}

function readStatement(given: unknown): Statement {
  const { Sid, Effect, Action, Resource, Condition } = objectOf(given)
  const actions = [Action].flat().map(String)
  return {
    sid: textOf(Sid) ?? actions.join(' '),
    effect: textOf(Effect) ?? '',
    actions,
    // What could not be resolved grants nothing.
    resources: [Resource].flat().filter(resource => typeof resource === 'string'),
    conditions: Object.fromEntries(
      Object.entries(objectOf(Condition)).map(([operator, keys]) => [operator, objectOf(keys)]),
    ),
  }
}

/**
 * The statement that allows the access; undefined if none does, or one denies it.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 */
export function allowing(statements: Statement[], access: Access): Statement | undefined {
  const matching = statements.filter(statement => matches(statement, access))
  return matching.some(({ effect }) => effect === 'Deny')
    ? undefined
    : matching.find(({ effect }) => effect === 'Allow')
}

function matches({ actions, resources, conditions }: Statement, access: Access): boolean {
  return (
    actions.some(action => isLike(access.action, action)) &&
    resources.some(resource => isLike(access.resource, resource)) &&
    Object.entries(conditions).every(([operator, keys]) => holds(operator, keys, access.context))
  )
}

/** The operators that our templates use. One that is not known here holds for nothing, so that it is noticed. */
function holds(operator: string, keys: JsonObject, context: Access['context']): boolean {
  const [set, base] = operator.includes(':') ? operator.split(':') : [undefined, operator]
  const compare = base === 'StringEquals' ? isEqual : base === 'StringLike' ? isLike : undefined
  if (!compare || (set !== undefined && set !== 'ForAllValues')) return false
  return Object.entries(keys).every(([key, allowed]) => {
    const found = context[key]
    const fits = (value: string) => [allowed].flat().some(pattern => compare(value, String(pattern)))
    // An absent key fails a plain operator; of a set operator, all of its no values fit.
    return found === undefined ? set !== undefined : found.every(fits)
  })
}

function isEqual(value: string, wanted: string): boolean {
  return value === wanted
}

const expressions = new Map<string, RegExp>()

/** `*` stands for any characters, `?` for one. */
export function isLike(value: string, pattern: string): boolean {
  if (value === pattern) return true
  let expression = expressions.get(pattern)
  if (!expression) {
    const source = pattern
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '.*')
      .replaceAll('?', '.')
    expression = new RegExp(`^${source}$`, 's')
    expressions.set(pattern, expression)
  }
  return expression.test(value)
}
