/** Under which names a mailbox's owner may be known to each server, best first (provider-specific order from the entry). */

import type { JWTPayload } from 'jose'
import type { Protocol } from './probe.ts'
import type { ProviderEntry } from './provider.ts'

/**
 * @param known logins that worked before, tried first
 * @param sharedMailbox opened by IMAP under its own address only; for SMTP it is never a login
 */
export function loginCandidates(
  entry: ProviderEntry,
  claims: JWTPayload,
  { known, sharedMailbox }: { known: Partial<Record<Protocol, string>>; sharedMailbox: string | null },
): Record<Protocol, string[]> {
  const named = [...entry.loginClaims, 'email']
    .map(name => claims[name])
    .filter(value => typeof value === 'string')
    .map(value => value.trim())
    // A guest's UPN names the home tenant in a form no mail server knows.
    .filter(value => value !== '' && !value.includes('#EXT#'))
  const withKnown = (login: string | undefined) => [...new Set([...(login ? [login] : []), ...named])]
  return {
    imap: sharedMailbox ? [sharedMailbox] : withKnown(known.imap),
    smtp: withKnown(known.smtp),
  }
}
