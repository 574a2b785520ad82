/** What is stored of an OAuth app that the provider refuses: one row an app, and one an organization that alone refuses it. */

import * as v from 'valibot'
import type { Channel } from './channels.ts'
import { type FaultCode, faults } from './faults.ts'
import { integer } from './single-values.ts'

/** What stands behind an OAuth app: a channel, or a sign-in that may become one. */
export type Behind = Pick<Channel, 'accountId' | 'provider' | 'clientId' | 'identity'>

export const breakerSchema = v.object({
  provider: v.string(),
  clientId: v.string(),
  /** Set where only one organization refuses the app: the others must not wait for it. */
  tenantId: v.nullable(v.string()),
  /** 1 while the app is refused. */
  isOpen: integer,
  /** When this episode began: makes its events one per account. */
  since: v.string(),
  trials: integer,
  closedAtMs: v.nullable(v.number()),
  nextTrialAtMs: v.number(),
  fault: v.object({
    // One that an older or newer version stored may have no row here.
    code: v.fallback(v.picklist(Object.keys(faults) as [FaultCode]), 'app_credentials_refused'),
    evidence: v.nullable(v.string()),
  }),
  /** 1 from the recovery until the waiting mail was rung for. */
  isToBeResumed: integer,
})

export type OpenBreaker = v.InferOutput<typeof breakerSchema>

/** One partition: there are as many breakers as OAuth apps, and some for single organizations. */
export const breakerPartition = 'APP_BREAKERS'
export type Scope = Pick<OpenBreaker, 'provider' | 'clientId' | 'tenantId'>
export const breakerKey = ({ provider, clientId, tenantId }: Scope) => ({
  pk: breakerPartition,
  sk: `${provider}#${clientId}${tenantId === null ? '' : `#${tenantId}`}`,
})

/** The breakers a channel stands behind. */
export function scopesOf({ provider, clientId, identity }: Omit<Behind, 'accountId'>): Scope[] {
  const app = { provider, clientId, tenantId: null }
  return identity.tid === undefined ? [app] : [app, { ...app, tenantId: identity.tid }]
}
