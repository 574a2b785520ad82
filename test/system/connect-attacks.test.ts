import { expect, test } from 'vitest'
import { newPerson } from '../../infra/local/as-person.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const ownCallback = () => `${running.system.url}/oauth/microsoft/callback`

async function open(accountId: string, session: object = {}) {
  const { body } = await running.app.call('POST', '/v1/connect-sessions', {
    accountId,
    provider: 'microsoft',
    ...session,
  })
  return { id: body.id as string, connectUrl: body.connectUrl as string }
}

/** A browser that has gone as far as the provider's answer, and that answer's URL. */
async function signedIn(connectUrl: string, persona: string, script = '') {
  const browser = newPerson()
  await browser.visit(connectUrl)
  const authorize = await browser.visit(connectUrl, {})
  const consent = await browser.visit(authorize.location ?? '')
  const answer = await browser.visit(consent.location ?? '', { persona, decision: 'accept', script })
  return { browser, callback: new URL(answer.location ?? '') }
}

async function stateOf(id: string): Promise<string> {
  return (await running.app.call('GET', `/v1/connect-sessions/${id}`)).body.state
}

async function channelsOf(accountId: string): Promise<unknown[]> {
  return (await running.app.call('GET', `/v1/channels?accountId=${accountId}`)).body.channels
}

test.each([
  'id_token_other_tenant',
  'id_token_wrong_nonce',
  'id_token_wrong_audience',
  'id_token_expired',
  'id_token_alg_none',
  'id_token_hs256',
  'id_token_hs256_public_key',
  'id_token_unknown_key',
  'id_token_crossed',
])('%s: a forged or misdirected id_token is refused, and nothing is left', async script => {
  const { id, connectUrl } = await open(script)
  const page = await newPerson().connect(connectUrl, 'ada', { script })
  expect(page.text).toContain('id_token_invalid')
  expect(await stateOf(id)).toBe('failed')
  expect(await channelsOf(script)).toEqual([])
})

test('nOAuth: an email claim that names a victim reaches neither the victim’s channel nor its key', async () => {
  const victim = await running.connect('ada', { accountId: 'noauth', script: '' })
  const intruder = await running.connect('grace', { accountId: 'noauth', script: 'noauth_email' })
  expect(intruder.id).not.toBe(victim.id)
  const { body } = await running.app.call('GET', `/v1/channels/${victim.id}`)
  expect(body.login.smtp).toBe('ada@contoso.example')
})

test('HTML in claims is shown as text, and headers cannot be broken by it', async () => {
  const { connectUrl } = await open('html', { autoConfirm: true })
  const page = await newPerson().connect(connectUrl, 'margaret', { script: 'html_in_name' })
  expect(page.text).not.toContain('<script>')
  const [channel] = (await channelsOf('html')) as { id: string; displayName: string }[]
  expect(channel?.displayName).toContain('script')
  const to = [{ address: 'c@outside.example' }]
  const reply = await running.app.send(channel?.id ?? '', { to, subject: 's', text: 't' }, 'h')
  const raw: string = (await running.app.call('GET', `/v1/messages/${reply.body.id}/raw`)).body
  const header = raw.slice(0, raw.indexOf('\r\n\r\n'))
  const names = header.split(/\r\n(?![ \t])/).map(line => line.slice(0, line.indexOf(':')).toLowerCase())
  expect(names.filter(name => name === 'from')).toHaveLength(1)
  expect(names).not.toContain('bcc')
})

test('an answer that is replayed, also in the same browser, is refused', async () => {
  const { id, connectUrl } = await open('replay')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  expect((await browser.visit(callback.href)).status).toBe(200)
  expect((await browser.visit(callback.href)).text).toContain('state_used')
  expect(await stateOf(id)).toBe('awaiting_confirmation')
})

test('an answer brought to another browser is refused, and the right browser can still finish', async () => {
  const { id, connectUrl } = await open('foreign-browser')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  const stranger = newPerson()
  expect((await stranger.visit(callback.href)).text).toContain('browser_mismatch')
  // A cookie of our name and form is not enough: it must be the one that began.
  await stranger.visit((await open('foreign-browser')).connectUrl)
  expect((await stranger.visit(callback.href)).text).toContain('browser_mismatch')
  expect((await browser.visit(callback.href)).status).toBe(200)
  expect(await stateOf(id)).toBe('awaiting_confirmation')
})

test('a code of another sign-in put under one’s own state is refused by PKCE', async () => {
  const victim = await signedIn((await open('injection')).connectUrl, 'ada')
  const { id, connectUrl } = await open('injection')
  const { browser, callback } = await signedIn(connectUrl, 'grace')
  callback.searchParams.set('code', victim.callback.searchParams.get('code') ?? '')
  expect((await browser.visit(callback.href)).text).toContain('code_refused')
  expect(await stateOf(id)).toBe('failed')
  expect(await channelsOf('injection')).toEqual([])
})

test('an answer at another provider’s callback is refused (mix-up)', async () => {
  const { id, connectUrl } = await open('mix-up')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  const other = callback.href.replace('/oauth/microsoft/', '/oauth/google/')
  expect((await browser.visit(other)).text).toContain('state_invalid')
  expect(await stateOf(id)).toBe('consenting')
})

test('an answer that names another issuer is refused (RFC 9207)', async () => {
  const { id, connectUrl } = await open('wrong-iss')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  callback.searchParams.set('iss', 'https://accounts.google.com')
  expect((await browser.visit(callback.href)).text).toContain('issuer_mismatch')
  expect(await stateOf(id)).toBe('failed')
})

test('client_info and other words of the browser are not looked at', async () => {
  const { id, connectUrl } = await open('client-info')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  const lie = Buffer.from(
    JSON.stringify({ uid: 'victim', utid: 'victim', preferred_username: 'v@v.example' }),
  )
  callback.searchParams.set('client_info', lie.toString('base64url'))
  callback.searchParams.set('tenant', 'victim')
  expect((await browser.visit(callback.href)).status).toBe(200)
  await running.app.call('POST', `/v1/connect-sessions/${id}/confirm`)
  expect(await channelsOf('client-info')).toMatchObject([{ email: 'ada@contoso.example' }])
})

test('a link opened by a victim makes no channel until the app says whose browser it was', async () => {
  const { id, connectUrl } = await open('attacker')
  await newPerson().connect(connectUrl, 'ada', { script: '' })
  expect(await stateOf(id)).toBe('awaiting_confirmation')
  expect(await channelsOf('attacker')).toEqual([])
  await running.system.cloud.invoke('Schedule', {})
  expect(await channelsOf('attacker')).toEqual([])
})

test('a link scanner’s GET consumes nothing, and a link is used by one browser only', async () => {
  const { connectUrl } = await open('scanner')
  for (let visit = 0; visit < 3; visit++) expect((await newPerson().visit(connectUrl)).status).toBe(200)
  const { callback, browser } = await signedIn(connectUrl, 'ada')
  expect((await newPerson().visit(connectUrl)).text).toContain('ticket_used')
  expect((await browser.visit(callback.href)).status).toBe(200)
  expect((await browser.visit(connectUrl)).text).toContain('ticket_used')
})

test.each([
  'https://evil.example/',
  '//evil.example/',
  'javascript:alert(1)',
  'http://localhost.evil.example/',
  'http://localhost:1@evil.example/',
])('nobody can be led to %s after connecting', async returnUrl => {
  const answer = await running.app.call('POST', '/v1/connect-sessions', {
    accountId: 'redirector',
    provider: 'microsoft',
    returnUrl,
  })
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'returnUrl', found: returnUrl }] } })
})

test('what comes in the answer’s query is never shown on a page', async () => {
  const { connectUrl } = await open('echo')
  const { browser, callback } = await signedIn(connectUrl, 'ada')
  callback.searchParams.delete('code')
  callback.searchParams.set('error', '<img src=x onerror=alert(1)>')
  callback.searchParams.set('error_description', 'AADSTS65004 <b>boo</b>')
  const page = await browser.visit(callback.href)
  expect(page.text).not.toMatch(/<img|<b>|boo/)
})

test('every page forbids scripts, framing, caching and referrers', async () => {
  const { connectUrl } = await open('headers')
  for (const url of [connectUrl, `${running.system.url}/connect/none`, ownCallback()]) {
    const { headers } = await fetch(url, { headers: { accept: 'text/html' } })
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/)
    expect(headers.get('content-security-policy')).not.toMatch(/unsafe-inline|script-src/)
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('referrer-policy')).toBe('no-referrer')
    expect(headers.get('x-frame-options')).toBe('DENY')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  }
})

test('two answers that race make one channel', async () => {
  const sessions = await Promise.all([
    open('racers', { autoConfirm: true }),
    open('racers', { autoConfirm: true }),
  ])
  const ready = await Promise.all(sessions.map(({ connectUrl }) => signedIn(connectUrl, 'margaret')))
  const pages = await Promise.all(ready.map(({ browser, callback }) => browser.visit(callback.href)))
  expect(pages.map(({ status }) => status)).toEqual([200, 200])
  expect(await channelsOf('racers')).toHaveLength(1)
})
