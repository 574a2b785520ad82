/**
 * Stands before the local engines, which know no IAM: a function's call passes only if the template's policies allow
 * it. A worker's access key is its function's physical name, and every signed request carries it.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { type Access, allowing, type FunctionPolicy, isLike, type Statement } from './policies.ts'

/** What a function asked for: one example of each kind. */
export interface Use {
  /** The function's name, such as `Fetch`. */
  function: string
  access: Access
  /** Absent if it was refused. */
  allowedBy: Statement | undefined
  /** Of the statement's resources, the one that fits. */
  resource: string | undefined
  /** How often it was asked. */
  count: number
}

export interface Gate {
  /** From here on functions are held to these policies; until then, and for all other callers, every call passes. */
  enforce(policies: Map<string, FunctionPolicy>): void
  /** As if the template lacked this one statement, until it is told another or none. */
  withhold(statement: Statement | undefined): void
  /** @returns the function's physical name; undefined for a caller that may do anything, such as the runner itself */
  callerOf(request: { headers: IncomingHttpHeaders; url?: string | undefined }): string | undefined
  /** @returns what AWS would say if it refused; undefined if all of it is allowed */
  refusal(caller: string, accesses: Access[]): string | undefined
  uses(): Use[]
}

/** Refused calls that are kept: each names its own resource, and a function may ask for ever. */
const maxRefusedUses = 200

export function createGate(log: (line: object) => void): Gate {
  let policies = new Map<string, FunctionPolicy>()
  const uses = new Map<string, Use>()
  let withheld: Statement | undefined
  let refused = 0

  function keep(policy: FunctionPolicy, access: Access, allowedBy: Statement | undefined): void {
    const resource = allowedBy?.resources.find(pattern => isLike(access.resource, pattern))
    const key = [policy.name, access.action, allowedBy?.sid, resource ?? access.resource].join(' ')
    const known = uses.get(key)
    if (known) known.count += 1
    else if (allowedBy || ++refused <= maxRefusedUses)
      uses.set(key, { function: policy.name, access, allowedBy, resource, count: 1 })
  }

  return {
    enforce(given) {
      policies = given
    },

    withhold(statement) {
      withheld = statement
    },

    callerOf({ headers, url }) {
      const signed = headers.authorization ?? url ?? ''
      // In the header `Credential=KEY/20000101/…`; in a presigned URL `X-Amz-Credential=KEY%2F20000101…`.
      const key = /Credential=([^/%,&\s]+)/.exec(signed)?.[1]
      return key !== undefined && policies.has(key) ? key : undefined
    },

    refusal(caller, accesses) {
      const policy = policies.get(caller)
      if (!policy) return undefined
      const statements = policy.statements.filter(statement => statement !== withheld)
      for (const access of accesses) {
        const allowedBy = allowing(statements, access)
        keep(policy, access, allowedBy)
        if (allowedBy) continue
        const { action, resource, context } = access
        log({
          level: 'error',
          function: policy.name,
          message: 'access denied by the template',
          action,
          resource,
          context,
        })
        return `User: ${caller} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`
      }
      return undefined
    },

    uses: () => [...uses.values()],
  }
}
