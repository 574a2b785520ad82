/** Granted is not asked: Google lets people untick what they do not want to give, and Microsoft reorders and respells. */

import { type FaultCode, PostroomError } from './faults.ts'
import type { ProviderEntry } from './provider.ts'

/**
 * @param scope as the token endpoint says (RFC 6749 5.1); null where it says nothing, which is no answer
 * @param fault what it is if access to mail is not part of it
 * @throws PostroomError `fault`, naming what is missing
 */
export function requireMailScopes(entry: ProviderEntry, scope: string | null, fault: FaultCode): void {
  if (scope === null) return
  const granted = scope.toLowerCase().split(' ')
  const missing = Object.values(entry.mailScopes).filter(
    wanted =>
      !granted.some(name => name === wanted.toLowerCase() || name.endsWith(`/${wanted.toLowerCase()}`)),
  )
  if (missing.length === 0) return
  throw new PostroomError(fault, {
    errors: [...new Set(missing)].map(wanted => ({
      field: 'scope',
      rule: 'must be granted',
      found: `no ${wanted}`,
    })),
  })
}
