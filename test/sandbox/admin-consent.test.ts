/** Admin consent: who is asked, what the app is told, and what it changes for a tenant. */
import { expect, test } from 'vitest'
import { tenants } from '../../infra/sandbox/personas.ts'
import {
  decide,
  newFlow,
  outlookScopes,
  type RunningSandbox,
  redirectUris,
  sandboxForTest,
  sendConsent,
} from './running-sandbox.ts'

/** The URL that an app sends an administrator to. */
function urlOf(
  sandbox: RunningSandbox,
  { tenant = 'organizations', ...changes }: Record<string, string> = {},
): string {
  const endpoint = sandbox.providers.microsoft.adminConsentEndpoint?.replace('organizations', tenant)
  const query = new URLSearchParams({
    client_id: sandbox.apps.microsoft.clientId,
    scope: outlookScopes,
    redirect_uri: redirectUris.microsoft,
    state: 'of the app',
    ...changes,
  })
  return `${endpoint}?${query}`
}

async function answerAs(url: string, form: Record<string, string>): Promise<URL> {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' })
  expect(answer.status).toBe(303)
  return new URL(answer.headers.get('location') ?? '')
}

test('the page offers the organizations, or the one in the address, and runs no script', async () => {
  const sandbox = await sandboxForTest()
  const all = await (await fetch(urlOf(sandbox))).text()
  for (const id of [tenants.contoso, tenants.fabrikam, tenants.tenantA]) expect(all).toContain(id)
  expect(all).not.toContain(tenants.consumers)
  expect(all).not.toContain('<script')
  const one = await (await fetch(urlOf(sandbox, { tenant: tenants.fabrikam }))).text()
  expect(one).toContain(tenants.fabrikam)
  expect(one).not.toContain(tenants.contoso)
})

test.for(['organizations', tenants.contoso])(
  'accepting at %s tells tenant, scope and state',
  async tenant => {
    const sandbox = await sandboxForTest()
    const named: Record<string, string> = tenant === 'organizations' ? { tenant: tenants.contoso } : {}
    const redirected = await answerAs(urlOf(sandbox, { tenant }), { decision: 'accept', ...named })
    expect(redirected.origin + redirected.pathname).toBe(redirectUris.microsoft)
    expect(Object.fromEntries(redirected.searchParams)).toEqual({
      admin_consent: 'True',
      tenant: tenants.contoso,
      scope: outlookScopes,
      state: 'of the app',
    })
  },
)

test('declining tells the error, and approves nothing', async () => {
  const sandbox = await sandboxForTest()
  const redirected = await answerAs(urlOf(sandbox), { decision: 'decline', tenant: tenants.contoso })
  expect(Object.fromEntries(redirected.searchParams)).toEqual({
    error: 'access_denied',
    error_description: expect.stringMatching(/^AADSTS65004: .+\r\nCorrelation ID: /),
    admin_consent: 'True',
    state: 'of the app',
  })
  const flow = newFlow(sandbox, {})
  const refused = await decide(sandbox, { flow, persona: 'ada', script: 'admin_approval_needed' })
  expect(refused.searchParams.get('error')).toBe('access_denied')
})

test('an approved tenant needs no approval more, also after a restart; another tenant still does', async () => {
  const sandbox = await sandboxForTest()
  await answerAs(urlOf(sandbox), { decision: 'accept', tenant: tenants.contoso })
  await sandbox.close()
  const again = await sandboxForTest(sandbox.options)
  const script = 'admin_approval_needed'
  const ada = await decide(again, { flow: newFlow(again, {}), persona: 'ada', script })
  expect(ada.searchParams.has('code')).toBe(true)
  const margaret = await decide(again, { flow: newFlow(again, {}), persona: 'margaret', script })
  expect(margaret.searchParams.get('error')).toBe('access_denied')
  const pending = await sendConsent(again, {
    flow: newFlow(again, {}),
    persona: 'alan',
    script: 'admin_approval_pending',
  })
  expect(pending.status).toBe(303)
})

test.for<[string, Record<string, string>]>([
  ['another redirect URI', { redirect_uri: `${redirectUris.microsoft}/` }],
  ['another app', { client_id: 'nobody' }],
  ['no scope', { scope: '' }],
  ['common', { tenant: 'common' }],
  ['the tenant of personal accounts', { tenant: tenants.consumers }],
])('a request with %s gives a page and no redirect, also to an answer', async ([, changes]) => {
  const sandbox = await sandboxForTest()
  const url = urlOf(sandbox, changes)
  const body = new URLSearchParams({ decision: 'accept', tenant: tenants.contoso })
  for (const answer of [await fetch(url), await fetch(url, { method: 'POST', body, redirect: 'manual' })]) {
    expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
    expect(answer.headers.get('content-type')).toContain('text/html')
  }
})

test('an answer without a decision or an organization names the field', async () => {
  const sandbox = await sandboxForTest()
  for (const [field, form] of [
    ['decision', { tenant: tenants.contoso }],
    ['tenant', { decision: 'accept' }],
    ['tenant', { decision: 'accept', tenant: tenants.consumers }],
  ] as const) {
    const answer = await fetch(urlOf(sandbox), { method: 'POST', body: new URLSearchParams(form) })
    expect(await answer.json()).toMatchObject({ status: 400, field })
  }
})
