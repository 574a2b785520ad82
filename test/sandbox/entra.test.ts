/** Sign-in with Microsoft: the code flow, refreshes, refusals. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import { parse } from '../../functions/channel/schema-check.ts'
import { personas, tenants } from '../../infra/sandbox/personas.ts'
import { auth, authenticate, exchangeSession } from './logins.ts'
import {
  accessTokenOf,
  askForTokens,
  codeForm,
  decide,
  newFlow,
  openAuthorize,
  outlookScopes,
  redirectUris,
  sandboxForTest,
  sendConsent,
  signIn,
} from './running-sandbox.ts'
import { verifyIdToken } from './verified-id-token.ts'

const keySet = v.object({ keys: v.array(v.looseObject({ issuer: v.string() })) })
const grace = personas.find(({ id }) => id === 'grace')

test.for(['common', 'organizations', tenants.tenantA])(
  'the code flow through %s yields an id_token of the tenant itself',
  async tenant => {
    const sandbox = await sandboxForTest()
    const { tokens, flow } = await signIn(sandbox, { persona: 'grace', tenant })
    const claims = await verifyIdToken(sandbox, { idToken: tokens.id_token, tenantId: tenants.tenantA })
    expect(claims).toMatchObject({
      tid: tenants.tenantA,
      oid: grace?.objectId,
      ver: '2.0',
      preferred_username: 'grace@tenant-a.example',
      upn: 'grace@tenant-a.example',
      email: 'Grace.Hopper@tenant-b.example',
      name: 'Grace Hopper',
      nonce: flow.parameters.get('nonce'),
    })
    expect(claims.sub).not.toBe(claims.oid)
    expect(claims).not.toHaveProperty('email_verified')
  },
)

test('the redirect carries the code and the state and nothing else', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, {})
  const redirected = await decide(sandbox, { flow, persona: 'ada' })
  expect(redirected.origin + redirected.pathname).toBe(redirectUris.microsoft)
  expect([...redirected.searchParams.keys()].sort()).toEqual(['code', 'state'])
  expect(redirected.searchParams.get('state')).toBe(flow.parameters.get('state'))
})

test('oid and preferred_username come with the profile scope only, email with the email scope only', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, {
    persona: 'ada',
    parameters: { scope: 'openid https://outlook.office.com/SMTP.Send' },
  })
  const claims = await verifyIdToken(sandbox, { idToken: tokens.id_token, tenantId: tenants.contoso })
  expect(claims).toMatchObject({ tid: tenants.contoso })
  for (const claim of ['oid', 'preferred_username', 'name', 'email', 'upn'])
    expect(claims).not.toHaveProperty(claim)
})

test('there is no id_token without openid and no refresh token without offline_access', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, {
    persona: 'ada',
    parameters: { scope: 'https://outlook.office.com/SMTP.Send', nonce: '' },
  })
  expect(Object.keys(tokens).sort()).toEqual(['access_token', 'expires_in', 'scope', 'token_type'])
})

test('a persona whose tenant has no upn claim gets none', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'ada' })
  expect(
    await verifyIdToken(sandbox, { idToken: tokens.id_token, tenantId: tenants.contoso }),
  ).not.toHaveProperty('upn')
})

test('the consent page of a tenant offers its own people only, and preselects the hinted one', async () => {
  const sandbox = await sandboxForTest()
  const page = async (tenant: string) => {
    const flow = newFlow(sandbox, { tenant, parameters: { login_hint: 'MARGARET@fabrikam.example' } })
    const consent = await fetch((await openAuthorize(sandbox, flow)).headers.get('location') ?? '')
    return consent.text()
  }
  expect(await page(tenants.fabrikam)).not.toContain('Ada Lovelace')
  expect((await page('common')).match(/value="(\w+)" required checked/)?.[1]).toBe('margaret')
})

test('declining sends access_denied and the state back to the app', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, {})
  const redirected = await decide(sandbox, { flow, persona: 'ada', decision: 'decline' })
  expect(redirected.searchParams.get('error')).toBe('access_denied')
  expect(redirected.searchParams.get('state')).toBe(flow.parameters.get('state'))
  expect(redirected.searchParams.has('code')).toBe(false)
})

test('a consent form can be sent once', async () => {
  const sandbox = await sandboxForTest()
  const page = (await openAuthorize(sandbox, newFlow(sandbox, {}))).headers.get('location') ?? ''
  const send = () =>
    fetch(page, {
      method: 'POST',
      body: new URLSearchParams({ persona: 'ada', decision: 'accept' }),
      redirect: 'manual',
    })
  expect((await send()).status).toBe(303)
  expect((await send()).status).toBe(400)
})

test('a consent form posted by a foreign page is refused', async () => {
  const sandbox = await sandboxForTest()
  const page = (await openAuthorize(sandbox, newFlow(sandbox, {}))).headers.get('location') ?? ''
  const body = new URLSearchParams({ persona: 'ada', decision: 'accept' })
  for (const headers of [
    { origin: 'https://evil.example' },
    { 'sec-fetch-site': 'cross-site' },
    { origin: 'null' },
  ]) {
    expect((await fetch(page, { method: 'POST', body, headers, redirect: 'manual' })).status).toBe(403)
  }
})

test.for([
  ['another path', `${redirectUris.microsoft}/`],
  ['another port', 'http://localhost:4401/oauth/microsoft/callback'],
  ['a query added', `${redirectUris.microsoft}?a=b`],
])('a redirect URI with %s gives a page and no redirect', async ([, redirectUri = '']) => {
  const sandbox = await sandboxForTest()
  const response = await openAuthorize(
    sandbox,
    newFlow(sandbox, { parameters: { redirect_uri: redirectUri } }),
  )
  expect(response.status).toBe(400)
  expect(response.headers.get('location')).toBeNull()
  expect(response.headers.get('content-type')).toContain('text/html')
  expect(await response.text()).toContain('redirect_uri')
})

test('a request without PKCE, or with the plain method, is refused', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, { parameters: { code_challenge_method: 'plain' } })
  const plain = await openAuthorize(sandbox, flow)
  expect(new URL(plain.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_request')
  flow.parameters.delete('code_challenge')
  flow.parameters.delete('code_challenge_method')
  const none = await openAuthorize(sandbox, flow)
  expect(new URL(none.headers.get('location') ?? '').searchParams.get('error')).toBe('invalid_request')
})

test('a code is redeemed once; the second time is AADSTS54005', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, {})
  const form = codeForm(flow, await decide(sandbox, { flow, persona: 'ada' }))
  expect((await askForTokens(sandbox, { form })).status).toBe(200)
  expect(await askForTokens(sandbox, { form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant', error_codes: [54005] },
  })
})

test('a wrong verifier is AADSTS501481', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, {})
  const form = codeForm(flow, await decide(sandbox, { flow, persona: 'ada' }))
  const answer = await askForTokens(sandbox, { form: { ...form, code_verifier: 'x'.repeat(43) } })
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', error_codes: [501481] } })
})

test('a code is not redeemed in another tenant', async () => {
  const sandbox = await sandboxForTest()
  const flow = newFlow(sandbox, {})
  const form = codeForm(flow, await decide(sandbox, { flow, persona: 'ada' }))
  const answer = await askForTokens(sandbox, { form, tenant: tenants.fabrikam })
  expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant', error_codes: [700005] } })
})

test("a wrong secret is 401 invalid_client in Entra's shape", async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'ada' })
  const form = {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token ?? '',
    client_secret: 'wrong',
  }
  const { status, body } = await askForTokens(sandbox, { form })
  expect(status).toBe(401)
  expect(body).toMatchObject({ error: 'invalid_client', error_codes: [7000215] })
  expect(body.error_description).toMatch(
    /^AADSTS7000215: .+ Trace ID: [-0-9a-f]{36}\r\nCorrelation ID: [-0-9a-f]{36}\r\nTimestamp: \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/,
  )
  expect(Object.keys(body).sort()).toEqual(
    ['error', 'error_description', 'error_codes', 'timestamp', 'trace_id', 'correlation_id'].sort(),
  )
})

test('an unknown app is 400 unauthorized_client', async () => {
  const sandbox = await sandboxForTest()
  const form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: 'nobody' }
  expect(await askForTokens(sandbox, { form })).toMatchObject({
    status: 400,
    body: { error: 'unauthorized_client', error_codes: [700016] },
  })
})

test.for(['common', tenants.tenantA])(
  'a refresh at %s gives a new refresh token and id_token, and leaves the old one valid',
  async tenant => {
    const sandbox = await sandboxForTest()
    const { tokens } = await signIn(sandbox, { persona: 'grace' })
    const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
    const first = await askForTokens(sandbox, { form, tenant })
    expect(first.body.refresh_token).not.toBe(tokens.refresh_token)
    const claims = await verifyIdToken(sandbox, { idToken: first.body.id_token, tenantId: tenants.tenantA })
    expect(claims).toMatchObject({ preferred_username: 'grace@tenant-a.example', oid: grace?.objectId })
    expect(claims).not.toHaveProperty('nonce')
    expect((await askForTokens(sandbox, { form, tenant })).status).toBe(200)
    const newer = { ...form, refresh_token: first.body.refresh_token ?? '' }
    expect((await askForTokens(sandbox, { form: newer, tenant })).status).toBe(200)
  },
)

test('a refresh for the scopes that were granted, spelled out, works', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'ada' })
  const form = {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token ?? '',
    scope: outlookScopes,
  }
  expect(await askForTokens(sandbox, { form })).toMatchObject({
    status: 200,
    body: { id_token: expect.any(String) },
  })
})

test('a made-up refresh token is invalid_grant', async () => {
  const sandbox = await sandboxForTest()
  const form = { grant_type: 'refresh_token', refresh_token: 'made-up' }
  expect(await askForTokens(sandbox, { form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

test('discovery of the shared names holds the literal {tenantid}, that of a tenant its own issuer', async () => {
  const sandbox = await sandboxForTest()
  const metadataOf = async (tenant: string) => {
    const response = await fetch(`${sandbox.origin}/entra/${tenant}/v2.0/.well-known/openid-configuration`)
    return response.json()
  }
  expect(await metadataOf('common')).toMatchObject({ issuer: `${sandbox.origin}/entra/{tenantid}/v2.0` })
  expect(await metadataOf('organizations')).toMatchObject({
    issuer: `${sandbox.origin}/entra/{tenantid}/v2.0`,
  })
  expect(await metadataOf(tenants.contoso)).toMatchObject({
    issuer: `${sandbox.origin}/entra/${tenants.contoso}/v2.0`,
  })
})

test('an account without mail attribute has no email claim, and its mailbox has the sign-in name', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'alan' })
  const claims = await verifyIdToken(sandbox, { idToken: tokens.id_token, tenantId: tenants.contoso })
  expect(claims).toMatchObject({ preferred_username: 'alan@contoso.example', upn: 'alan@contoso.example' })
  expect(claims).not.toHaveProperty('email')
  expect(
    (await authenticate(sandbox, { user: 'alan@contoso.example', token: tokens.access_token ?? '' }))[0],
  ).toBe('A1 OK AUTHENTICATE completed.')
})

test('a personal account signs in through common and consumers, in the tenant of all personal accounts', async () => {
  const sandbox = await sandboxForTest()
  for (const tenant of ['common', 'consumers', tenants.consumers]) {
    const { tokens } = await signIn(sandbox, { persona: 'edsger', tenant })
    const claims = await verifyIdToken(sandbox, { idToken: tokens.id_token, tenantId: tenants.consumers })
    expect(claims).toMatchObject({ tid: tenants.consumers, email: 'edsger@outlook-sandbox.example' })
    const login = { user: 'edsger@outlook-sandbox.example', token: tokens.access_token ?? '' }
    expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
  }
})

test('organizations offers no personal account, and redeems no code of one', async () => {
  const sandbox = await sandboxForTest()
  const refused = await sendConsent(sandbox, {
    flow: newFlow(sandbox, { tenant: 'organizations' }),
    persona: 'edsger',
  })
  expect(refused.status).toBe(400)
  const flow = newFlow(sandbox, {})
  const form = codeForm(flow, await decide(sandbox, { flow, persona: 'edsger' }))
  expect(await askForTokens(sandbox, { form, tenant: 'organizations' })).toMatchObject({
    status: 400,
    body: { error_codes: [700005] },
  })
})

test('each key names the issuer it signs for: the template for work accounts, one tenant for personal ones', async () => {
  const sandbox = await sandboxForTest()
  const issuersAt = async (tenant: string) => {
    const response = await fetch(sandbox.providers.microsoft.jwksUri.replace('{tenant}', tenant))
    const { keys } = parse(keySet, await response.json())
    return keys.map(({ issuer }) => issuer)
  }
  const issuer = (tenantId: string) => `${sandbox.origin}/entra/${tenantId}/v2.0`
  expect(await issuersAt('common')).toEqual([issuer('{tenantid}'), issuer(tenants.consumers)])
  expect(await issuersAt('organizations')).toEqual([issuer('{tenantid}'), issuer(tenants.consumers)])
  expect(await issuersAt(tenants.contoso)).toEqual([issuer(tenants.contoso)])
  expect(await issuersAt('consumers')).toEqual([issuer(tenants.consumers)])
})

test('introspection tells of a living token whose it is and for what, and nothing of any other', async () => {
  const sandbox = await sandboxForTest()
  const introspect = async (token: string) => {
    const response = await fetch(`${sandbox.origin}/introspect`, {
      method: 'POST',
      body: new URLSearchParams({ token }),
    })
    return response.json()
  }
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  expect(await introspect(token)).toMatchObject({
    active: true,
    upn: 'grace@tenant-a.example',
    aud: 'https://outlook.office.com',
    scp: 'IMAP.AccessAsUser.All SMTP.Send',
    iss: `${sandbox.origin}/entra/${tenants.tenantA}/v2.0`,
  })
  const [header, payload, signature = ''] = token.split('.')
  const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`
  expect(await introspect(forged)).toEqual({ active: false })
  expect(await introspect('garbage')).toEqual({ active: false })
})
