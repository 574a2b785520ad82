/** What each answer of a token endpoint means, and that nothing secret leaves with an error. */

import { expect, test } from 'vitest'
import { redeemCode, refreshGrant, type TokenRequest } from '../../functions/channel/token-endpoint.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'
import { type ScriptedAnswer, startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.ts'
import { testApp } from '../support/workbench.ts'

const refreshToken = 'refresh-token-that-nobody-may-see'
const codeGrant = {
  code: 'code-that-nobody-may-see',
  codeVerifier: 'verifier-that-nobody-may-see',
  redirectUri: 'http://localhost:4400/oauth/microsoft/callback',
}

const requestTo = (url: string, tenantId: string | null = null): TokenRequest => ({
  entry: microsoftWith({ tokenEndpoint: url }),
  app: testApp,
  tenantId,
})
const refresh = ({ url }: TokenEndpoint) => refreshGrant(requestTo(url), refreshToken)
const redeem = ({ url }: TokenEndpoint) => redeemCode(requestTo(url), codeGrant)

const refusal = (status: number, error: string, ...codes: number[]): ScriptedAnswer => ({
  status,
  body: {
    error,
    error_codes: codes,
    error_description: `AADSTS${codes[0]}: ada@contoso.example may not. ${refreshToken} Trace ID: 1`,
  },
})

test('a refresh asks with form, secret and all scopes, and reads the whole answer', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.accept(refreshToken)
  endpoint.answer = { expires_in: '1800', scope: 'a b', id_token: 'id-token' }
  expect(await refresh(endpoint)).toEqual({
    accessToken: 'access-1',
    refreshToken: 'refresh-1',
    idToken: 'id-token',
    expiresInMs: 1800_000,
    scope: 'a b',
  })
  expect(Object.fromEntries(endpoint.requests[0] ?? [])).toEqual({
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    client_id: testApp.clientId,
    client_secret: 'client-secret-of-this-test',
    scope: requestTo(endpoint.url).entry.scopes.join(' '),
  })
})

test('a code is redeemed with its verifier and redirect URI', async () => {
  const endpoint = await startTokenEndpoint()
  await redeem(endpoint)
  expect(Object.fromEntries(endpoint.requests[0] ?? [])).toMatchObject({
    grant_type: 'authorization_code',
    code: codeGrant.code,
    code_verifier: codeGrant.codeVerifier,
    redirect_uri: codeGrant.redirectUri,
  })
})

test('an answer without a new refresh token, id_token and scope says so', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.accept(refreshToken)
  endpoint.answer = { refresh_token: undefined }
  expect(await refresh(endpoint)).toMatchObject({ refreshToken: null, idToken: null, scope: null })
})

test.each<[string, string, ScriptedAnswer]>([
  ['expired by inactivity', 'grant_expired', refusal(400, 'invalid_grant', 700082)],
  ['revoked', 'grant_revoked', refusal(400, 'invalid_grant', 50173)],
  ['the session ended', 'grant_revoked', refusal(400, 'invalid_grant', 50133)],
  ['a second factor is needed', 'sign_in_required', refusal(400, 'interaction_required', 50076)],
  ['enrolment is needed', 'sign_in_required', refusal(400, 'invalid_grant', 50079)],
  ['the sign-in is too old for a policy', 'sign_in_frequency', refusal(400, 'invalid_grant', 70043)],
  ['consent withdrawn', 'consent_withdrawn', refusal(400, 'consent_required', 65001)],
  ['the account is disabled', 'account_unavailable', refusal(400, 'invalid_grant', 50057)],
  ['the account is gone', 'account_unavailable', refusal(400, 'invalid_grant', 50034)],
  ['Conditional Access', 'grant_blocked_by_policy', refusal(400, 'interaction_required', 53003)],
  ['no longer assigned', 'grant_blocked_by_policy', refusal(400, 'invalid_grant', 50105)],
  ['our request is malformed', 'token_request_refused', refusal(400, 'invalid_grant', 9002313)],
  ['our request is malformed, said so', 'token_request_refused', refusal(400, 'invalid_request', 9002313)],
  ['a code that was redeemed, at a refresh', 'token_request_refused', refusal(400, 'invalid_grant', 54005)],
  ['said for live tokens too (consumers)', 'grant_doubtful', refusal(400, 'invalid_grant', 70000)],
  ['a number nobody knows', 'grant_doubtful', refusal(400, 'invalid_grant', 7999999)],
  ['a bad client assertion', 'app_credentials_refused', refusal(401, 'invalid_client', 700027)],
  [
    'Google: expired or revoked',
    'grant_revoked',
    {
      status: 400,
      body: { error: 'invalid_grant', error_description: 'Token has been expired or revoked.' },
    },
  ],
  [
    'Google: a session policy',
    'sign_in_frequency',
    { status: 400, body: { error: 'invalid_grant', error_subtype: 'invalid_rapt' } },
  ],
  [
    'Google: the administrator',
    'grant_blocked_by_policy',
    { status: 400, body: { error: 'admin_policy_enforced' } },
  ],
  [
    'Google: the client is gone',
    'app_credentials_refused',
    { status: 401, body: { error: 'deleted_client' } },
  ],
  ['Google: too fast', 'provider_throttled', { status: 403, body: { error: 'rate_limit_exceeded' } }],
  [
    'a sub-error: only a message',
    'grant_blocked_by_policy',
    { status: 400, body: { error: 'interaction_required', suberror: 'message_only' } },
  ],
  ['asked for the same token too often', 'provider_throttled', refusal(400, 'invalid_grant', 50196)],
  ['the client secret has expired', 'app_credentials_refused', refusal(401, 'invalid_client', 7000222)],
  ['the app is gone from the tenant', 'app_refused_in_tenant', refusal(400, 'unauthorized_client', 700016)],
  ['the app is not allowed this at all', 'app_credentials_refused', refusal(400, 'unauthorized_client')],
  ['a scope is unknown', 'app_credentials_refused', refusal(400, 'invalid_scope', 70011)],
  ['the resource is unknown', 'app_credentials_refused', refusal(400, 'invalid_resource', 500011)],
  ['a passing trouble', 'provider_unreachable', refusal(400, 'temporarily_unavailable', 90033)],
  [
    'a passing trouble in the clothes of a verdict',
    'provider_unreachable',
    refusal(400, 'invalid_grant', 90033),
  ],
  ['throttled by number only', 'provider_throttled', refusal(400, 'invalid_grant', 90055)],
  ['server_error', 'provider_unreachable', refusal(500, 'server_error')],
  ['an outage that quotes a verdict', 'provider_unreachable', refusal(503, 'invalid_grant', 50173)],
  [
    'an HTML page with 503',
    'provider_unreachable',
    { status: 503, body: '<html>Service Unavailable</html>' },
  ],
  ['an HTML page with 400', 'provider_unreachable', { status: 400, body: '<html>Bad Request</html>' }],
  ['an error nobody knows', 'provider_unreachable', refusal(400, 'brand_new_error')],
  ['429 that quotes a verdict', 'provider_throttled', refusal(429, 'invalid_grant', 50173)],
  [
    'a redirect',
    'provider_unreachable',
    { status: 307, body: '', headers: { location: 'http://127.0.0.1:1/' } },
  ],
])('a refresh that is answered by "%s" is %s', async (_what, code, answer) => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push(answer)
  const error = await thrownBy(() => refresh(endpoint))
  expect(error.code).toBe(code)
  expect(textsOf(error)).not.toMatch(/nobody-may-see|client-secret-of|ada@contoso/)
})

test('a refused code is the person’s to repeat, and no end of a grant', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push(refusal(400, 'invalid_grant', 54005))
  expect((await thrownBy(() => redeem(endpoint))).code).toBe('code_refused')
})

test('a dropped connection is an outage', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push('drop')
  const error = await thrownBy(() => redeem(endpoint))
  expect(error.code).toBe('provider_unreachable')
  expect(textsOf(error)).not.toMatch(/nobody-may-see|client-secret-of/)
})

test('a server that is not there is an outage', async () => {
  const endpoint = await startTokenEndpoint()
  await endpoint.close()
  expect((await thrownBy(() => refresh(endpoint))).code).toBe('provider_unreachable')
})

test('429 says how long to wait', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push({ status: 429, body: {}, headers: { 'retry-after': '7' } })
  expect(await thrownBy(() => refresh(endpoint))).toMatchObject({
    code: 'provider_throttled',
    retryAfterMs: 7_000,
  })
})

test('a wait said as a date counts from the date of the answer, and one in the past is none', async () => {
  const endpoint = await startTokenEndpoint()
  const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
  for (const [asked, retryAfterMs] of [
    ['Sun, 06 Nov 1994 08:51:37 GMT', 120_000],
    ['Sun, 06 Nov 1994 08:00:00 GMT', undefined],
    ['soon', undefined],
  ] as const) {
    endpoint.script.push({ status: 429, body: {}, headers: { date, 'retry-after': asked } })
    expect((await thrownBy(() => refresh(endpoint))).retryAfterMs).toBe(retryAfterMs)
  }
})

test('evidence names status, error and number, and nothing of the description', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push(refusal(400, 'invalid_grant', 700082))
  expect((await thrownBy(() => refresh(endpoint))).evidence).toBe('HTTP 400 invalid_grant AADSTS700082')
})

test.each([
  ['no expires_in', { access_token: 'token-that-nobody-may-see' }],
  ['an expires_in of nothing', { access_token: 'token-that-nobody-may-see', expires_in: 0 }],
  ['an access token that is no text', { access_token: { secret: 'nobody-may-see' }, expires_in: 3600 }],
  ['no access token', { expires_in: 3600, id_token: 'token-that-nobody-may-see' }],
  ['a page', '<html>token-that-nobody-may-see</html>'],
])('an answer with %s is no answer, and is not quoted', async (_what, body) => {
  const endpoint = await startTokenEndpoint()
  endpoint.script.push({ status: 200, body })
  const error = await thrownBy(() => refresh(endpoint))
  expect(error.code).toBe('provider_unreachable')
  expect(textsOf(error)).not.toMatch(/nobody-may-see/)
})

test('a refresh goes to the person’s own tenant, a first exchange to the app’s', async () => {
  const endpoint = await startTokenEndpoint()
  endpoint.accept(refreshToken)
  const template = endpoint.url.replace('/token', '/{tenant}/token')
  await refreshGrant(requestTo(template, 'tenant-of-ada'), refreshToken)
  await redeemCode(requestTo(template), codeGrant)
  expect(endpoint.paths).toEqual(['/tenant-of-ada/token', '/common/token'])
})
