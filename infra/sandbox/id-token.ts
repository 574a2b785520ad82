/** Makes another id_token of the one that was issued: other claims, or another signature. */
import { createPublicKey } from 'node:crypto'
import { base64url, decodeJwt, importJWK, SignJWT } from 'jose'
import type { IdTokenShape } from './scripts.ts'
import { type KeyOwner, type KeyRing, makeKey, publicKey, type SigningKey } from './signing-keys.ts'

/** Who could have signed. */
export interface Signing {
  keys: KeyRing
  owner: KeyOwner
  clientSecret: string
}

/** Changes what the shape changes; everything else, also `iat` and `at_hash`, stays. */
export async function reshapeIdToken(
  idToken: string,
  { shape, signing }: { shape: IdTokenShape; signing: Signing },
): Promise<string> {
  const claims = decodeJwt(idToken)
  return sign(shape.claims?.(claims) ?? claims, { signing, by: shape.signedBy })
}

async function sign(
  claims: Record<string, unknown>,
  { signing, by }: { signing: Signing; by: IdTokenShape['signedBy'] },
): Promise<string> {
  const { keys, owner, clientSecret } = signing
  const key = keys.current(owner)
  if (by === 'nobody') {
    // RFC 7519, section 6: an empty signature, and the header says so.
    return `${encoded({ alg: 'none', typ: 'JWT' })}.${encoded(claims)}.`
  }
  if (by === 'client secret') return hmac(claims, { key, secret: Buffer.from(clientSecret) })
  // The verifier that lets the token choose the algorithm takes the PEM it knows for the secret (RFC 8725, section 2.1).
  if (by === 'public key') {
    const pem = createPublicKey({ key: { ...publicKey(key) }, format: 'jwk' })
    return hmac(claims, { key, secret: Buffer.from(pem.export({ type: 'spki', format: 'pem' })) })
  }
  if (by === 'unknown key') return rsa(claims, await makeKey())
  if (by === 'key of other accounts')
    return rsa(claims, keys.current(owner === 'consumers' ? 'microsoft' : 'consumers'))
  return rsa(claims, key)
}

async function rsa(claims: Record<string, unknown>, key: SigningKey): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.kid })
    .sign(await importJWK(key, 'RS256'))
}

/** The kid is the real key's, so that only the algorithm gives it away. */
function hmac(claims: Record<string, unknown>, { key, secret }: { key: SigningKey; secret: Buffer }) {
  return new SignJWT(claims).setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: key.kid }).sign(secret)
}

function encoded(value: object): string {
  return base64url.encode(JSON.stringify(value))
}
