/** Checks a caller's token as an HTTP API's JWT authorizer does. */

import { createRemoteJWKSet, type JWTVerifyGetKey, jwtVerify } from 'jose'

/** The `JwtConfiguration` of an `AWS::ApiGatewayV2::Authorizer`. */
export interface TokenRules {
  issuer: string
  /** One of these must be `aud`, or `client_id` where there is no `aud`. */
  audience: string[]
}

/** By issuer. */
const keySets = new Map<string, Promise<JWTVerifyGetKey>>()

/**
 * @returns the claims, each as text, as a function is told them; undefined for a token that does not hold
 * @see https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
 */
export async function claimsOf(
  token: string,
  { issuer, audience }: TokenRules,
): Promise<Record<string, string> | undefined> {
  try {
    const { payload } = await jwtVerify(token, await keysOf(issuer), { issuer, algorithms: ['RS256'] })
    const meant = [payload.aud ?? payload.client_id].flat().map(String)
    if (!meant.some(one => audience.includes(one))) return undefined
    return Object.fromEntries(Object.entries(payload).map(([name, value]) => [name, textOf(value)]))
  } catch {
    return undefined
  }
}

/** A list comes as `[a b]`. */
function textOf(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(' ')}]` : String(value)
}

function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
  const known = keySets.get(issuer)
  if (known) return known
  const keys = discover(issuer)
  keySets.set(issuer, keys)
  keys.catch(() => keySets.delete(issuer))
  return keys
}

/** OpenID Connect Discovery 1.0, 4. */
async function discover(issuer: string): Promise<JWTVerifyGetKey> {
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const { jwks_uri: keysUrl } = (await response.json()) as { jwks_uri: string }
  return createRemoteJWKSet(new URL(keysUrl))
}
