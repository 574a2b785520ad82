/** Who signed in, and under which name the mail servers know them (rows S1–S4 of the founding story). */

import type { JWTPayload } from 'jose'
import { PostroomError } from './faults.ts'
import { derivedId } from './identifiers.ts'
import type { ProviderEntry } from './provider.ts'

/** The claims that are the account's key, as the provider's entry lists them. Never shown, only compared. */
export type Identity = Record<string, string>

/** Blank strings count as absent: Entra sends `""` for accounts without the attribute. */
function claim(claims: JWTPayload, name: string): string | undefined {
  const value = claims[name]
  const text = typeof value === 'string' ? value.trim() : ''
  return text === '' ? undefined : text
}

/** @throws PostroomError `id_token_invalid` if a key claim is absent */
export function identityOf(entry: ProviderEntry, claims: JWTPayload): Identity {
  const identity: Identity = {}
  for (const name of entry.identity) {
    // A provider with two spellings of its issuer must not give one person two identities.
    const value = name === 'iss' && !entry.issuer.includes('{tid}') ? entry.issuer : claim(claims, name)
    if (value === undefined) {
      throw new PostroomError('id_token_invalid', {
        errors: [{ field: name, rule: 'must be a claim of the id_token', found: 'nothing' }],
      })
    }
    identity[name] = value
  }
  return identity
}

/**
 * The XOAUTH2 user name. Microsoft's SMTP accepts the token's UPN only, which the id_token carries as
 * `preferred_username` (v2.0) or `upn`; the `email` claim can be an alias that IMAP takes and SMTP refuses.
 * @throws PostroomError `address_missing` if no listed claim holds a value
 * @see https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
 */
export function loginOf(entry: ProviderEntry, claims: JWTPayload): string {
  for (const name of entry.loginClaims) {
    const value = claim(claims, name)
    // A guest's UPN names the home tenant in a form no mail server knows.
    if (value !== undefined && !value.includes('#EXT#')) return value
  }
  throw new PostroomError('address_missing')
}

/**
 * The mailbox's address: display and From, never a key. Falls back to the login, which at most
 * organizations is the same string.
 * @throws PostroomError `address_missing` if neither is an address
 */
export function emailOf(entry: ProviderEntry, claims: JWTPayload): string {
  const candidates = [claim(claims, 'email'), ...entry.loginClaims.map(name => claim(claims, name))]
  const address = candidates.find(candidate => candidate?.includes('@'))
  if (address === undefined) throw new PostroomError('address_missing')
  return address
}

/** One mailbox of one account is one channel, however often and by whomever it is connected. */
export function channelIdOf(
  accountId: string,
  provider: string,
  identity: Identity,
  sharedMailbox?: string,
): string {
  const key = Object.entries(identity).map(([name, value]) => `${name}=${value}`)
  return derivedId('ch', accountId, provider, ...key.sort(), sharedMailbox?.toLowerCase() ?? '')
}
