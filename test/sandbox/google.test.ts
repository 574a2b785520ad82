/** Sign-in with Google: who gets a refresh token, what a refresh gives, what a revocation ends. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { expect, test } from 'vitest'
import {
  askForTokens,
  codeForm,
  decide,
  newFlow,
  openAuthorize,
  sandboxForTest,
  signIn,
} from './running-sandbox.ts'

const linus = { persona: 'linus', provider: 'google' } as const

test('the code flow yields an id_token with email and email_verified and no name of Microsoft', async () => {
  const sandbox = await sandboxForTest()
  const { tokens, flow } = await signIn(sandbox, linus)
  const keys = createRemoteJWKSet(new URL(sandbox.providers.google.jwksUri))
  const { payload } = await jwtVerify(tokens.id_token ?? '', keys, {
    issuer: sandbox.providers.google.issuer,
    audience: sandbox.apps.google.clientId,
  })
  expect(payload).toMatchObject({
    email: 'linus@gmail-sandbox.example',
    email_verified: true,
    name: 'Linus Lindqvist',
    sub: expect.stringMatching(/^\d{21}$/),
    nonce: flow.parameters.get('nonce'),
  })
  for (const claim of ['preferred_username', 'upn', 'tid', 'oid', 'hd'])
    expect(payload).not.toHaveProperty(claim)
})

test("scopes come back in Google's spelling and the access token is opaque", async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, linus)
  expect(tokens.scope?.split(' ').sort()).toEqual([
    'https://mail.google.com/',
    'https://www.googleapis.com/auth/userinfo.email',
    'https://www.googleapis.com/auth/userinfo.profile',
    'openid',
  ])
  expect(tokens.access_token).not.toContain('.')
})

test('a refresh token comes with the first consent and later with prompt=consent only, and never without access_type=offline', async () => {
  const sandbox = await sandboxForTest()
  const refreshToken = async (parameters: Record<string, string>) =>
    (await signIn(sandbox, { ...linus, parameters })).tokens.refresh_token
  expect(await refreshToken({ access_type: 'online' })).toBeUndefined()
  const fresh = await sandboxForTest()
  expect((await signIn(fresh, linus)).tokens.refresh_token).toEqual(expect.any(String))
  expect((await signIn(fresh, linus)).tokens.refresh_token).toBeUndefined()
  const again = await signIn(fresh, { ...linus, parameters: { prompt: 'select_account consent' } })
  expect(again.tokens.refresh_token).toEqual(expect.any(String))
})

test('a refresh gives an id_token and no refresh token, and can be repeated', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, linus)
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
  for (let turn = 0; turn < 2; turn++) {
    const { status, body } = await askForTokens(sandbox, { provider: 'google', form })
    expect(status).toBe(200)
    expect(Object.keys(body).sort()).toEqual([
      'access_token',
      'expires_in',
      'id_token',
      'scope',
      'token_type',
    ])
  }
})

test('a revocation ends the whole grant: every token of every sign-in', async () => {
  const sandbox = await sandboxForTest()
  const first = await signIn(sandbox, linus)
  const second = await signIn(sandbox, { ...linus, parameters: { prompt: 'consent' } })
  const revoke = (token: string | undefined) =>
    fetch(sandbox.providers.google.revocationEndpoint ?? '', {
      method: 'POST',
      body: new URLSearchParams({ token: token ?? '' }),
    })
  expect((await revoke(second.tokens.access_token)).status).toBe(200)
  const form = { grant_type: 'refresh_token', refresh_token: first.tokens.refresh_token ?? '' }
  expect(await askForTokens(sandbox, { provider: 'google', form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant', error_description: 'Token has been expired or revoked.' },
  })
  const repeated = await revoke(first.tokens.refresh_token)
  expect(repeated.status).toBe(400)
  expect(await repeated.json()).toMatchObject({ error: 'invalid_token' })
})

test('a wrong secret is 401 invalid_client and a replayed code is invalid_grant', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, { provider: 'google' })
  const form = codeForm(flow, await decide(sandbox, { flow, persona: 'linus' }))
  const wrong = await askForTokens(sandbox, { provider: 'google', form: { ...form, client_secret: 'wrong' } })
  expect(wrong).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
  expect((await askForTokens(sandbox, { provider: 'google', form })).status).toBe(200)
  expect(await askForTokens(sandbox, { provider: 'google', form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

test('a scope that Google does not know ends in a page', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, { provider: 'google', parameters: { scope: 'openid offline_access' } })
  const response = await openAuthorize(sandbox, flow)
  expect([response.status, response.headers.get('location')]).toEqual([400, null])
  expect(await response.text()).toContain('offline_access')
})
