/** Scripts that give an id_token which must not be believed, or which holds less or other than usual. */

import { createHmac, createPublicKey } from 'node:crypto'
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parse } from '../../functions/channel/schema-check.ts'
import { tenants } from '../../infra/sandbox/personas.ts'
import {
  askForTokens,
  type RunningSandbox,
  sandboxForFile,
  sandboxForTest,
  signIn,
} from './running-sandbox.ts'
import { verifyIdToken } from './verified-id-token.ts'

const running = sandboxForFile()
const jwks = v.object({ keys: v.array(v.looseObject({ kid: v.string(), issuer: v.optional(v.string()) })) })
const linus = { persona: 'linus', provider: 'google' } as const

/** The id_token of a sign-in by the script, unverified. */
async function idTokenOf(
  sandbox: RunningSandbox,
  who: { persona: string; script: string; provider?: 'microsoft' | 'google' },
) {
  const { tokens, flow } = await signIn(sandbox, who)
  const idToken = tokens.id_token ?? ''
  return { idToken, claims: decodeJwt(idToken), flow }
}

async function keysAt(url: string) {
  return parse(jwks, await (await fetch(url.replace('{tenant}', 'common'))).json()).keys
}

/** Changes of claims that leave the token well signed. */
test.for<[string, string, Record<string, unknown>]>([
  ['no_email_claim', 'ada', { email: undefined }],
  ['blank_preferred_username', 'grace', { preferred_username: ' ', upn: 'grace@tenant-a.example' }],
  ['no_preferred_username', 'ada', { preferred_username: undefined, upn: 'ada@contoso.example' }],
  [
    'no_upn_no_preferred_username',
    'grace',
    { preferred_username: undefined, upn: undefined, email: 'Grace.Hopper@tenant-b.example' },
  ],
  ['noauth_email', 'margaret', { email: 'ada@contoso.example', tid: tenants.fabrikam }],
  ['noauth_email', 'ada', { email: 'margaret@fabrikam.example', tid: tenants.contoso }],
  [
    'html_in_name',
    'ada',
    {
      name: expect.stringMatching(/<script>.*".*\r\n/),
      preferred_username: expect.stringMatching(/<script>.*'.*\r\n/),
    },
  ],
])('%s changes claims of %s and nothing else', async ([script, persona, changed]) => {
  const sandbox = running()
  const usual = await idTokenOf(sandbox, { persona, script: '' })
  const { idToken, claims, flow } = await idTokenOf(sandbox, { persona, script })
  await verifyIdToken(sandbox, { idToken, tenantId: String(claims.tid) })
  expect(claims).toEqual({
    ...usual.claims,
    nonce: flow.parameters.get('nonce'),
    at_hash: claims.at_hash,
    iat: claims.iat,
    exp: claims.exp,
    ...changed,
  })
})

test.for([
  ['microsoft', 'ada'],
  ['google', 'linus'],
] as const)(
  'id_token_expired, _wrong_nonce and _wrong_audience are well signed (%s)',
  async ([provider, persona]) => {
    const sandbox = running()
    const { clientId } = sandbox.apps[provider]
    const keys = createRemoteJWKSet(
      new URL(sandbox.providers[provider].jwksUri.replace('{tenant}', 'common')),
    )
    const read = async (script: string) => {
      const { idToken, flow } = await idTokenOf(sandbox, { persona, provider, script })
      const expired =
        script === 'id_token_expired' ? { currentDate: new Date(Date.now() - 2 * 3_600_000) } : {}
      const { payload } = await jwtVerify(idToken, keys, { algorithms: ['RS256'], ...expired })
      return { payload, nonce: flow.parameters.get('nonce') }
    }
    const expired = await read('id_token_expired')
    expect(Number(expired.payload.exp)).toBeLessThan(Date.now() / 1000 - 3000)
    expect(expired.payload).toMatchObject({ aud: clientId, nonce: expired.nonce })
    const nonce = await read('id_token_wrong_nonce')
    expect(nonce.payload.nonce).not.toBe(nonce.nonce)
    const audience = await read('id_token_wrong_audience')
    expect(audience.payload).toMatchObject({ aud: 'another-app', nonce: audience.nonce })
  },
)

test('id_token_other_tenant has the issuer of a tenant that tid does not name', async () => {
  const sandbox = running()
  const { idToken, claims } = await idTokenOf(sandbox, { persona: 'ada', script: 'id_token_other_tenant' })
  const verified = await verifyIdToken(sandbox, { idToken, tenantId: tenants.tenantA })
  expect(verified.tid).toBe(tenants.contoso)
  expect(claims.iss).not.toContain(tenants.contoso)
})

test.for([
  ['microsoft', 'ada'],
  ['google', 'linus'],
] as const)('id_token_alg_none has no signature and says so (%s)', async ([provider, persona]) => {
  const sandbox = running()
  const { idToken } = await idTokenOf(sandbox, { persona, provider, script: 'id_token_alg_none' })
  const [header = '', , signature] = idToken.split('.')
  expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toMatchObject({ alg: 'none' })
  expect(signature).toBe('')
})

test.for([
  ['id_token_hs256', 'microsoft', 'ada'],
  ['id_token_hs256', 'google', 'linus'],
  ['id_token_hs256_public_key', 'microsoft', 'ada'],
  ['id_token_hs256_public_key', 'google', 'linus'],
] as const)('%s is a valid HMAC under the kid of the real key (%s)', async ([script, provider, persona]) => {
  const sandbox = running()
  const { idToken } = await idTokenOf(sandbox, { persona, provider, script })
  const { alg, kid } = decodeProtectedHeader(idToken)
  const key = (await keysAt(sandbox.providers[provider].jwksUri)).find(candidate => candidate.kid === kid)
  expect([alg, key?.kid]).toEqual(['HS256', kid])
  const secret =
    script === 'id_token_hs256'
      ? sandbox.apps[provider].clientSecret
      : createPublicKey({ key: { ...key }, format: 'jwk' }).export({ type: 'spki', format: 'pem' })
  const [header, payload, signature] = idToken.split('.')
  expect(createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')).toBe(signature)
})

test('id_token_unknown_key names a key that is not in the JWKS', async () => {
  const sandbox = running()
  for (const who of [{ persona: 'ada', provider: 'microsoft' } as const, linus]) {
    const { idToken } = await idTokenOf(sandbox, { ...who, script: 'id_token_unknown_key' })
    const kids = (await keysAt(sandbox.providers[who.provider].jwksUri)).map(({ kid }) => kid)
    expect(decodeProtectedHeader(idToken).alg).toBe('RS256')
    expect(kids).not.toContain(decodeProtectedHeader(idToken).kid)
  }
})

test.for([
  ['ada', tenants.contoso, '9188040d-6c67-4c5b-b112-36a304b66dad'],
  ['edsger', tenants.consumers, '{tenantid}'],
])(
  'id_token_crossed of %s is signed by a key that signs for other accounts',
  async ([persona = '', tenantId = '', signedFor]) => {
    const sandbox = running()
    const { idToken } = await idTokenOf(sandbox, { persona, script: 'id_token_crossed' })
    // A verifier that does not look at the key's issuer finds nothing wrong.
    expect(await verifyIdToken(sandbox, { idToken, tenantId })).toMatchObject({ tid: tenantId })
    const { kid } = decodeProtectedHeader(idToken)
    const key = (await keysAt(sandbox.providers.microsoft.jwksUri)).find(candidate => candidate.kid === kid)
    expect(key?.issuer).toBe(`${sandbox.origin}/entra/${signedFor}/v2.0`)
  },
)

test('key_rotated signs with a new key from now on; the old one leaves the JWKS, and its tokens still open mail', async () => {
  const sandbox = await sandboxForTest()
  for (const who of [{ persona: 'ada', provider: 'microsoft' } as const, linus]) {
    const { jwksUri } = sandbox.providers[who.provider]
    const before = await signIn(sandbox, { ...who, parameters: { prompt: 'consent' } })
    const { kid: oldKid = '' } = decodeProtectedHeader(before.tokens.id_token ?? '')
    const { idToken } = await idTokenOf(sandbox, { ...who, script: 'key_rotated' })
    const { kid: newKid = '' } = decodeProtectedHeader(idToken)
    const kids = (await keysAt(jwksUri)).map(({ kid }) => kid)
    expect(kids).toContain(newKid)
    expect(kids).not.toContain(oldKid)
    const next = await idTokenOf(sandbox, { ...who, script: '' })
    expect(decodeProtectedHeader(next.idToken).kid).toBe(newKid)
    const body = new URLSearchParams({ token: before.tokens.access_token ?? '' })
    const introspection = await fetch(`${sandbox.origin}/introspect`, { method: 'POST', body })
    expect(await introspection.json()).toMatchObject({ active: true })
    const form = { grant_type: 'refresh_token', refresh_token: before.tokens.refresh_token ?? '' }
    const refreshed = await askForTokens(sandbox, { ...who, form })
    expect(decodeProtectedHeader(refreshed.body.id_token ?? '').kid).toBe(newKid)
  }
})

test('a shape lasts: the id_token of a refresh has it, too', async () => {
  const sandbox = running()
  const { tokens } = await signIn(sandbox, { persona: 'grace', script: 'no_email_claim' })
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
  const { body } = await askForTokens(sandbox, { form })
  expect(decodeJwt(body.id_token ?? '')).not.toHaveProperty('email')
})
