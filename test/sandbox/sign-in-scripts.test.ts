/** Scripts that end a sign-in without a code: what the app is told, in the provider's words. */
import { expect, test } from 'vitest'
import { tenants } from '../../infra/sandbox/personas.ts'
import { decide, follow, newFlow, redirectUris, sandboxForFile, sendConsent } from './running-sandbox.ts'

const running = sandboxForFile()

test.for([
  ['access_denied', 'access_denied', 65004],
  ['admin_approval_needed', 'access_denied', 90094],
  ['consent_required', 'consent_required', 65001],
  ['not_assigned', 'access_denied', 50105],
  ['conditional_access', 'access_denied', 53003],
  ['wrong_tenant', 'access_denied', 50020],
  ['app_not_found', 'unauthorized_client', 700016],
  ['temporarily_unavailable', 'temporarily_unavailable', 90006],
  ['server_error', 'server_error', 90033],
] as const)('%s comes back from Entra as %s with AADSTS%i', async ([script, error, aadsts]) => {
  const sandbox = running()
  const flow = newFlow(sandbox, { tenant: tenants.contoso })
  const redirected = await decide(sandbox, { flow, persona: 'ada', script })
  expect(redirected.origin + redirected.pathname).toBe(redirectUris.microsoft)
  const { error_description: description, ...others } = Object.fromEntries(redirected.searchParams)
  expect(others).toEqual({ error, state: flow.parameters.get('state') })
  expect(description).toMatch(
    new RegExp(
      `^AADSTS${aadsts}: .+ Trace ID: [-0-9a-f]{36}\r\nCorrelation ID: [-0-9a-f]{36}\r\nTimestamp: [-0-9]{10} [:0-9]{8}Z$`,
    ),
  )
})

test.for([
  'access_denied',
  'temporarily_unavailable',
  'server_error',
  'admin_policy_enforced',
  'org_internal',
])('%s comes back from Google as that error and the state alone', async script => {
  const sandbox = running()
  const flow = newFlow(sandbox, { provider: 'google' })
  const redirected = await decide(sandbox, { flow, persona: 'linus', script })
  expect(redirected.origin + redirected.pathname).toBe(redirectUris.google)
  expect(Object.fromEntries(redirected.searchParams)).toEqual({
    error: script,
    state: flow.parameters.get('state'),
  })
})

test('admin_approval_pending ends in a page, and the app hears nothing', async () => {
  const sandbox = running()
  const answer = await sendConsent(sandbox, {
    flow: newFlow(sandbox, {}),
    persona: 'ada',
    script: 'admin_approval_pending',
  })
  expect([answer.status, answer.headers.get('location')]).toEqual([200, null])
  expect(answer.headers.get('content-type')).toContain('text/html')
  const page = await answer.text()
  expect(page).toContain('AADSTS90095')
  expect(page).not.toContain('<script')
})

test('declining says the same as the script, and heeds no script', async () => {
  const sandbox = running()
  const flow = newFlow(sandbox, {})
  const redirected = await decide(sandbox, {
    flow,
    persona: 'ada',
    decision: 'decline',
    script: 'server_error',
  })
  expect(redirected.searchParams.get('error')).toBe('access_denied')
  expect(redirected.searchParams.get('error_description')).toMatch(/^AADSTS65004: /)
})

test('a script that ended a sign-in is over with it', async () => {
  const sandbox = running()
  await decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'ada', script: 'not_assigned' })
  const next = await decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'ada' })
  expect(next.searchParams.has('code')).toBe(true)
})

test('a script that was set outside of a sign-in ends every later one, until the form says as usual', async () => {
  const sandbox = running()
  await follow(sandbox, { persona: 'grace', script: 'conditional_access' })
  for (let turn = 0; turn < 2; turn++) {
    const blocked = await decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'grace' })
    expect(blocked.searchParams.get('error')).toBe('access_denied')
  }
  for (const script of ['', undefined]) {
    const usual = await decide(sandbox, { flow: newFlow(sandbox, {}), persona: 'grace', script })
    expect(usual.searchParams.has('code')).toBe(true)
  }
})
