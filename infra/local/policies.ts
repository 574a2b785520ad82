/** The template's own IAM policies: what each function's role allows. */

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
  statements: Statement[]
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
