import { expect, test } from 'vitest'
import { newPerson } from '../../infra/local/as-person.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()

/** Begins, consents with a script of the sandbox, and gives what the person and the app saw. */
async function signIn(script: string, { provider = 'microsoft', persona = 'ada', accountId = 'acme' } = {}) {
  const { body: created } = await running.app.call('POST', '/v1/connect-sessions', { accountId, provider })
  const page = await newPerson().connect(created.connectUrl, persona, { script })
  const { body: session } = await running.app.call('GET', `/v1/connect-sessions/${created.id}`)
  return { page, session, id: created.id }
}

const google = { provider: 'google', persona: 'linus' }

test.each([
  ['access_denied', 'consent_declined', 'owner'],
  ['admin_approval_needed', 'admin_approval_required', 'tenant_admin'],
  ['consent_required', 'admin_approval_required', 'tenant_admin'],
  ['not_assigned', 'account_not_assigned', 'tenant_admin'],
  ['conditional_access', 'sign_in_blocked_by_policy', 'tenant_admin'],
  ['wrong_tenant', 'account_not_in_tenant', 'owner'],
  ['app_not_found', 'app_misconfigured', 'operator'],
  ['temporarily_unavailable', 'provider_unreachable', 'nobody'],
  ['server_error', 'provider_unreachable', 'nobody'],
  ['client_secret_expired', 'app_credentials_refused', 'operator'],
  ['token_html_503', 'provider_unreachable', 'nobody'],
  ['token_dropped', 'provider_unreachable', 'nobody'],
  ['smtp_scope_missing', 'scope_missing', 'owner'],
  ['no_refresh_token', 'refresh_token_missing', 'owner'],
  ['no_id_token', 'id_token_missing', 'operator'],
  ['no_licence', 'mailbox_unusable', 'tenant_admin'],
])('Microsoft, %s: nothing is connected, and page and session say %s (%s)', async (script, code, actor) => {
  await expectFailure(script, { code, actor })
})

test.each([
  ['access_denied', 'consent_declined', 'owner'],
  ['admin_policy_enforced', 'sign_in_blocked_by_policy', 'tenant_admin'],
  ['org_internal', 'account_not_in_tenant', 'owner'],
  ['mail_unticked', 'scope_missing', 'owner'],
])('Google, %s: nothing is connected, and page and session say %s (%s)', async (script, code, actor) => {
  await expectFailure(script, { code, actor, ...google })
})

async function expectFailure(
  script: string,
  { code, actor, ...who }: { code: string; actor: string; provider?: string; persona?: string },
) {
  const accountId = `failing-${script}`
  const { page, session } = await signIn(script, { ...who, accountId })
  expect(session).toMatchObject({ state: 'failed', fault: { code, actor } })
  expect(page.text).toContain(code)
  const { body } = await running.app.call('GET', `/v1/channels?accountId=${accountId}`)
  expect(body.channels).toEqual([])
}

// Regression: only what `send`, `fetch`, `schedule` and `notify` told was counted. An app that a sign-in found refused held back
// all its mailboxes, and the alarm stayed silent, since nobody tells of it twice.
test('an OAuth app that only a sign-in has found refused is counted for the alarm', async () => {
  const from = running.log.length
  await signIn('client_secret_expired', { accountId: 'counted' })
  await expect
    .poll(() => running.log.slice(from))
    .toContainEqual(
      expect.objectContaining({
        function: 'Connect',
        record: expect.objectContaining({ service: 'Postroom', AppFaults: expect.anything() }),
      }),
    )
})

test('a token endpoint that never answers ends well inside the gateway’s 30 seconds', async () => {
  const startedAtMs = Date.now()
  const { session } = await signIn('token_hangs')
  expect(session).toMatchObject({ state: 'failed', fault: { code: 'provider_unreachable', actor: 'nobody' } })
  // Not a benchmark: the bound is the gateway's, and the call must leave room below it.
  expect(Date.now() - startedAtMs).toBeLessThan(25_000)
})

test('an organization that wants an administrator’s approval gets the link for it', async () => {
  const { page } = await signIn('admin_approval_needed')
  const link = /href="([^"]*adminconsent[^"]*)"/.exec(page.text)?.[1]?.replaceAll('&#38;', '&') ?? ''
  const url = new URL(link)
  expect(url.searchParams.get('redirect_uri')).toBe(`${running.system.url}/oauth/microsoft/callback`)
  const administrator = newPerson()
  expect((await administrator.visit(link)).status).toBe(200)
  const answered = await administrator.visit(link, { decision: 'accept', tenant: await tenantOf(link) })
  const approved = await administrator.visit(answered.location ?? '')
  expect(approved.text).toContain('Approved for your organization')
})

/** The tenant the administrator's page offers first. */
async function tenantOf(link: string): Promise<string> {
  const { text } = await newPerson().visit(link)
  return (
    /name="tenant"[^>]*value="([^"]+)"|value="([^"]+)"[^>]*name="tenant"/
      .exec(text)
      ?.slice(1)
      .find(Boolean) ?? ''
  )
}

test.each([
  ['smtp_disabled_tenant', 'smtp', 'smtp_disabled'],
  ['smtp_disabled_mailbox', 'smtp', 'smtp_disabled'],
  ['security_defaults', 'smtp', 'smtp_blocked_by_policy'],
  ['smtp_criteria', 'smtp', 'smtp_blocked_by_policy'],
  ['smtp_535_always', 'smtp', 'smtp_refuses_login'],
  ['imap_disabled', 'imap', 'imap_disabled'],
  ['imap_refused', 'imap', 'imap_refuses_login'],
] as const)(
  '%s: connected for the rest, %s blocked with %s, and an administrator is told',
  async (script, protocol, code) => {
    const accountId = `blocked-${script}`
    const channel = await running.connect('ada', { accountId, script })
    const other = protocol === 'smtp' ? 'imap' : 'smtp'
    expect(channel.auth).toMatchObject({ state: 'blocked_by_admin', fault: { code, actor: 'tenant_admin' } })
    expect(channel.access).toMatchObject({ [protocol]: { state: 'blocked' }, [other]: { state: 'ok' } })
    const event = await running.app.event(accountId, e => e.type === 'channel.blocked')
    expect(event.data.channel.auth.fault.code).toBe(code)
  },
)

test('Gmail with IMAP switched off: connected for sending, and an administrator is told', async () => {
  const channel = await running.connect('linus', { ...google, script: 'gmail_imap_disabled' })
  expect(channel.access).toMatchObject({
    imap: { state: 'blocked', fault: { code: 'imap_disabled' } },
    smtp: { state: 'ok' },
  })
})

test('what an administrator switches on again is cured by a probe, and parked mail leaves', async () => {
  const { app } = running
  const accountId = 'cured'
  const channel = await running.connect('ada', { accountId, script: 'smtp_disabled_mailbox' })
  const reply = await app.send(
    channel.id,
    { to: [{ address: 'c@outside.example' }], subject: 'parked', text: 'x' },
    'p',
  )
  expect(reply.status).toBe(202)
  await app.event(accountId, e => e.type === 'message.parked')
  await follow('ada', null)
  const probe = await app.call('POST', `/v1/channels/${channel.id}/probe`)
  expect(probe.body.channel.auth.state).toBe('connected')
  await app.event(accountId, e => e.type === 'channel.recovered')
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.id === reply.body.id)
})

test.each(['smtp_hangs', 'imap_hangs'])(
  '%s: the sign-in ends in time, and the mailbox is connected',
  async script => {
    const channel = await running.connect('margaret', { accountId: script, script })
    expect(channel.auth.state).toBe('connected')
    await follow('margaret', null)
  },
)

test('a failed reconnect leaves a working channel as it is', async () => {
  const { app } = running
  const accountId = 'undisturbed'
  const channel = await running.connect('grace', { accountId, script: '' })
  for (const [script, persona] of [
    ['access_denied', 'grace'],
    ['client_secret_expired', 'grace'],
    ['', 'ada'],
  ] as const) {
    const { body } = await app.call('POST', '/v1/connect-sessions', {
      accountId,
      provider: 'microsoft',
      channelId: channel.id,
    })
    await newPerson().connect(body.connectUrl, persona, { script })
    expect((await app.call('GET', `/v1/connect-sessions/${body.id}`)).body.state).toBe('failed')
  }
  const { lastFetchedAt: _polledMeanwhile, ...unchanged } = channel
  expect((await app.call('GET', `/v1/channels/${channel.id}`)).body).toMatchObject(unchanged)
  const reply = await app.send(
    channel.id,
    { to: [{ address: 'c@outside.example' }], subject: 's', text: 't' },
    'u',
  )
  await app.event(accountId, e => e.type === 'message.sent' && e.data.message.id === reply.body.id)
})

test('a reconnect by another mailbox is refused, with both addresses named', async () => {
  const channel = await running.connect('grace', { accountId: 'two', script: '' })
  const { body } = await running.app.call('POST', '/v1/connect-sessions', {
    accountId: 'two',
    provider: 'microsoft',
    channelId: channel.id,
  })
  const page = await newPerson().connect(body.connectUrl, 'ada', { script: '' })
  expect(page.text).toContain('Grace.Hopper@tenant-b.example')
  expect(page.text).toContain('ada@contoso.example')
  // The app reads the same as the person.
  const { fault } = (await running.app.call('GET', `/v1/connect-sessions/${body.id}`)).body
  expect(fault.evidence).toMatch(/Grace\.Hopper@tenant-b\.example.*ada@contoso\.example/)
})

async function follow(persona: string, script: string | null): Promise<void> {
  const response = await fetch(`${running.system.sandbox?.origin}/personas/${persona}/script`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ script }),
  })
  expect(response.status).toBe(200)
}
