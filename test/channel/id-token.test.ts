/** Row S12: id_tokens are verified against the provider's published keys, never just decoded. */

import { createHmac, createPublicKey } from 'node:crypto'
import { decodeProtectedHeader, type JWTPayload } from 'jose'
import { afterEach, expect, test, vi } from 'vitest'
import { verifyIdToken } from '../../functions/channel/id-token.ts'
import type { OAuthApp } from '../../functions/channel/oauth-app.ts'
import type { ProviderEntry } from '../../functions/channel/provider.ts'
import { type SigningKeysEndpoint, startSigningKeys } from '../support/signing-keys-endpoint.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { testApp } from '../support/workbench.ts'

const tid = '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10'
const otherTid = 'b7d9e6a4-61c8-4f0e-8c35-a2e4d8b71f22'
const nonce = 'nonce-of-this-sign-in'

interface Issuer {
  endpoint: SigningKeysEndpoint
  entry: ProviderEntry
  claims(changes?: JWTPayload): JWTPayload
}

async function startIssuer(): Promise<Issuer> {
  const endpoint = await startSigningKeys()
  const entry = microsoftWith({ issuer: `${endpoint.origin}/{tid}/v2.0`, jwksUri: endpoint.jwksUri })
  const second = Math.floor(Date.now() / 1000)
  return {
    endpoint,
    entry,
    claims: changes => ({
      iss: `${endpoint.origin}/${tid}/v2.0`,
      aud: testApp.clientId,
      sub: 'subject',
      iat: second,
      exp: second + 3600,
      tid,
      oid: 'o-1',
      nonce,
      ...changes,
    }),
  }
}

function verify(token: string, { entry }: Issuer, changes: { app?: OAuthApp; nonce?: string | null } = {}) {
  return verifyIdToken(token, { entry, app: testApp, nonce, now: Date.now(), ...changes })
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

afterEach(() => {
  vi.useRealTimers()
})

test('a good token gives its claims', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims())
  expect(await verify(token, issuer)).toMatchObject({ tid, oid: 'o-1' })
})

test.each<[string, JWTPayload]>([
  ['for another app', { aud: 'another-client' }],
  ['that has expired', { exp: Math.floor(Date.now() / 1000) - 120 }],
  ['that never expires', { exp: undefined }],
  ['that is not valid yet', { nbf: Math.floor(Date.now() / 1000) + 300 }],
  ['from the future', { iat: Math.floor(Date.now() / 1000) + 300 }],
  ['with the nonce of another sign-in', { nonce: 'nonce-of-another' }],
  ['without a nonce', { nonce: undefined }],
  ['without a subject', { sub: undefined }],
  ['of a tenant that is no GUID', { tid: 'contoso' }],
  ['without a tenant', { tid: undefined }],
  ['whose tenant is not the issuer’s', { tid: otherTid }],
])('a token %s is refused', async (_what, changes) => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims(changes))
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('id_token_invalid')
})

test('a token of another tenant’s issuer is refused', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(
    issuer.claims({ iss: `${issuer.endpoint.origin}/${otherTid}/v2.0` }),
  )
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('id_token_invalid')
})

test('a token of another tenant than the app’s single one is refused', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims())
  expect(await verify(token, issuer, { app: { ...testApp, tenant: tid } })).toMatchObject({ tid })
  const error = await thrownBy(() => verify(token, issuer, { app: { ...testApp, tenant: otherTid } }))
  expect(error.code).toBe('id_token_invalid')
})

test('a key that is published for one tenant signs for no other', async () => {
  const issuer = await startIssuer()
  const [key = {}] = issuer.endpoint.keys
  issuer.endpoint.keys = [{ ...key, issuer: `${issuer.endpoint.origin}/${otherTid}/v2.0` }]
  const token = await issuer.endpoint.sign(issuer.claims())
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('id_token_invalid')
})

test('after a refresh no nonce is asked for, and all else is', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims({ nonce: undefined }))
  expect(await verify(token, issuer, { nonce: null })).toMatchObject({ tid })
  const foreign = await issuer.endpoint.sign(issuer.claims({ nonce: undefined, aud: 'another-client' }))
  expect((await thrownBy(() => verify(foreign, issuer, { nonce: null }))).code).toBe('id_token_invalid')
})

test('a token without a signature is refused', async () => {
  const issuer = await startIssuer()
  const token = `${encode({ alg: 'none' })}.${encode(issuer.claims())}.`
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('id_token_invalid')
})

test('a token signed with HS256 and the public key as its secret is refused', async () => {
  const issuer = await startIssuer()
  const [jwk = {}] = issuer.endpoint.keys
  const pem = createPublicKey({ key: { ...jwk }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const signed = `${encode({ alg: 'HS256', kid: jwk.kid })}.${encode(issuer.claims())}`
  const signature = createHmac('sha256', pem).update(signed).digest('base64url')
  expect((await thrownBy(() => verify(`${signed}.${signature}`, issuer))).code).toBe('id_token_invalid')
})

test('a token with changed claims is refused', async () => {
  const issuer = await startIssuer()
  const [header, , signature] = (await issuer.endpoint.sign(issuer.claims())).split('.')
  const token = `${header}.${encode(issuer.claims({ oid: 'somebody-else' }))}.${signature}`
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('id_token_invalid')
})

test('what is no token at all is refused', async () => {
  const issuer = await startIssuer()
  expect((await thrownBy(() => verify('not.a.token', issuer))).code).toBe('id_token_invalid')
})

test('Google’s short spelling of its issuer is accepted, a third spelling is not', async () => {
  const issuer = await startIssuer()
  const entry = { ...issuer.entry, issuer: issuer.endpoint.origin, issuerAliases: ['accounts.test.example'] }
  const token = await issuer.endpoint.sign(issuer.claims({ iss: 'accounts.test.example' }))
  expect(await verify(token, { ...issuer, entry })).toMatchObject({ sub: 'subject' })
  const third = await issuer.endpoint.sign(issuer.claims({ iss: 'https://accounts.test.example' }))
  expect((await thrownBy(() => verify(third, { ...issuer, entry }))).code).toBe('id_token_invalid')
})

test('the keys are fetched once for many tokens', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims())
  for (let i = 0; i < 5; i++) await verify(token, issuer)
  expect(issuer.endpoint.requests).toBe(1)
})

test('a token of a rotated key is accepted: the key set is read again for an unknown kid', async () => {
  const issuer = await startIssuer()
  await verify(await issuer.endpoint.sign(issuer.claims()), issuer)
  await issuer.endpoint.rotate()
  const token = await issuer.endpoint.sign(issuer.claims())
  expect(decodeProtectedHeader(token).kid).toBe('key-2')
  // jose reads the system's clock: it asks again no sooner than 30 seconds after it has asked.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 })
  expect(await verify(token, issuer)).toMatchObject({ tid })
  expect(issuer.endpoint.requests).toBe(2)
})

test('within 30 seconds of reading the keys an unknown kid is refused without asking again', async () => {
  const issuer = await startIssuer()
  await verify(await issuer.endpoint.sign(issuer.claims()), issuer)
  await issuer.endpoint.rotate()
  const token = await issuer.endpoint.sign(issuer.claims())
  const error = await thrownBy(() => verify(token, issuer))
  expect(error).toMatchObject({ code: 'id_token_invalid', evidence: 'ERR_JWKS_NO_MATCHING_KEY' })
  expect(issuer.endpoint.requests).toBe(1)
})

test('keys that cannot be read say nothing about the token: a server that is down', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims())
  await issuer.endpoint.close()
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('provider_unreachable')
})

test.each([
  ['503', { status: 503, body: '<html>unavailable</html>' }],
  ['429', { status: 429, body: '{}' }],
  ['a page instead of keys', { status: 200, body: '<html>maintenance</html>' }],
])('keys that cannot be read say nothing about the token: %s', async (_what, answer) => {
  const issuer = await startIssuer()
  issuer.endpoint.script.push(answer)
  const token = await issuer.endpoint.sign(issuer.claims())
  expect((await thrownBy(() => verify(token, issuer))).code).toBe('provider_unreachable')
})

test('no part of a refused token is in the error', async () => {
  const issuer = await startIssuer()
  const token = await issuer.endpoint.sign(issuer.claims({ nonce: 'nonce-of-another' }))
  const error = await thrownBy(() => verify(token, issuer))
  expect(JSON.stringify([error.message, error.evidence, error.errors])).not.toMatch(/nonce-of|o-1|eyJ/)
})
