/** What is stored of an OAuth app that the provider refuses: one row an app, and one an organization that alone refuses it. */

import * as z from 'zod'
import type { Channel } from './channels.ts'
import { type FaultCode, faults } from './faults.ts'

/** What stands behind an OAuth app: a channel, or a sign-in that may become one. */
export type Behind = Pick<Channel, 'accountId' | 'provider' | 'clientId' | 'identity'>

export const breakerSchema = z.object({
  provider: z.string(),
  clientId: z.string(),
  /** Set where only one organization refuses the app: the others must not wait for it. */
  tenantId: z.string().nullable(),
  /** 1 while the app is refused. */
  isOpen: z.int(),
  /** When this episode began: makes its events one per account. */
  since: z.string(),
  trials: z.int(),
  closedAtMs: z.number().nullable(),
  nextTrialAtMs: z.number(),
  fault: z.object({
    // One that an older or newer version stored may have no row here.
    code: z.enum(Object.keys(faults) as [FaultCode]).catch('app_credentials_refused'),
    evidence: z.string().nullable(),
  }),
  /** 1 from the recovery until the waiting mail was rung for. */
  isToBeResumed: z.int(),
})

export type OpenBreaker = z.infer<typeof breakerSchema>

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
