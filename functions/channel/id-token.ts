/** Verifies id_tokens: signature, algorithm, issuer of the tenant, audience, expiry, nonce. Never just decodes. */

import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from 'jose'
import { PostroomError } from './faults.ts'
import type { OAuthApp } from './oauth-app.ts'
import { type ProviderEntry, tenantUrl } from './provider.ts'

/** Clocks of providers and of Lambda differ by seconds at most. */
const clockToleranceSeconds = 60
const jwksTimeoutMs = 5_000

/** What jose says where the key set itself could not be had: a time-out, an HTTP error, no JSON. */
const keysUnreadable: ReadonlySet<string> = new Set([
  errors.JWKSTimeout.code,
  errors.JWKSInvalid.code,
  errors.JOSEError.code,
])

/** jose keeps each key set for ten minutes, and asks again for an unknown `kid` at most every 30 seconds. */
const keySets = new Map<string, KeySet>()
type KeySet = ReturnType<typeof createRemoteJWKSet>

function keySet(url: string): KeySet {
  const known = keySets.get(url)
  if (known) return known
  const fresh = createRemoteJWKSet(new URL(url), { timeoutDuration: jwksTimeoutMs })
  keySets.set(url, fresh)
  return fresh
}

export interface IdTokenExpectations {
  entry: ProviderEntry
  app: OAuthApp
  /** Null after a refresh, where no nonce was sent (OpenID Connect Core 12.2). */
  nonce: string | null
  now: number
}

/**
 * @returns the verified claims
 * @throws PostroomError `id_token_invalid` with jose's code as evidence, `provider_unreachable` if the keys cannot be read
 * @see https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-issuer
 */
export async function verifyIdToken(idToken: string, expected: IdTokenExpectations): Promise<JWTPayload> {
  const { entry, app, nonce, now } = expected
  const { claims, keyIssuer } = await verifySignature(idToken, expected)
  if (nonce !== null && claims.nonce !== nonce) throw refuse('nonce', 'must be the one we sent')

  // Entra's issuer carries the person's own tenant, also when they signed in through /common.
  const issuers = [issuerFor(entry.issuer, claims), ...(entry.issuerAliases ?? [])]
  if (typeof claims.iss !== 'string' || !issuers.includes(claims.iss)) {
    throw refuse('iss', 'must be the issuer of the token’s tenant')
  }
  // Entra's key set says of each key whose tokens it may sign: a consumer key must not vouch for an organization.
  if (keyIssuer !== undefined && issuerFor(keyIssuer.replace('{tenantid}', '{tid}'), claims) !== claims.iss) {
    throw refuse('kid', 'must be a key of the token’s issuer')
  }
  if (typeof claims.iat === 'number' && claims.iat * 1000 > now + clockToleranceSeconds * 1000) {
    throw refuse('iat', 'must not lie in the future')
  }
  if (isTenantId(app.tenant) && claims.tid !== app.tenant)
    throw refuse('tid', 'must be the tenant of the OAuth app')
  return claims
}

async function verifySignature(idToken: string, { entry, app, nonce, now }: IdTokenExpectations) {
  try {
    const keys = keySet(tenantUrl(entry.jwksUri, app.tenant))
    const { payload, protectedHeader } = await jwtVerify(idToken, keys, {
      algorithms: ['RS256'],
      audience: app.clientId,
      requiredClaims: ['exp', 'iat', 'sub', ...(nonce === null ? [] : ['nonce'])],
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(now),
    })
    const key = keys.jwks()?.keys.find(({ kid }) => kid === protectedHeader.kid)
    const keyIssuer = key && 'issuer' in key && typeof key.issuer === 'string' ? key.issuer : undefined
    return { claims: payload, keyIssuer }
  } catch (cause) {
    if (!(cause instanceof errors.JOSEError) || keysUnreadable.has(cause.code)) {
      throw new PostroomError('provider_unreachable', { cause, evidence: 'signing keys could not be read' })
    }
    throw new PostroomError('id_token_invalid', { cause, evidence: cause.code })
  }
}

function issuerFor(template: string, claims: JWTPayload): string {
  if (!template.includes('{tid}')) return template
  if (!isTenantId(claims.tid)) throw refuse('tid', 'must be a tenant id')
  return template.replace('{tid}', claims.tid)
}

function isTenantId(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value)
}

function refuse(field: string, rule: string): PostroomError {
  return new PostroomError('id_token_invalid', { errors: [{ field, rule, found: '(not shown)' }] })
}
