import { expect, test } from 'vitest'
import { newPerson } from '../../infra/local/as-person.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const to = [{ address: 'customer@outside.example' }]
const letter = { to, subject: 's', text: 't' }

/** What a program sees of a page meant for browsers. */
async function asProgram(url: string, init: RequestInit = {}) {
  const response = await fetch(url, { redirect: 'manual', ...init })
  return { status: response.status, type: response.headers.get('content-type'), body: await response.json() }
}

async function openSession(session: object = {}) {
  const { body } = await running.app.call('POST', '/v1/connect-sessions', {
    accountId: 'acme',
    provider: 'microsoft',
    ...session,
  })
  return body
}

test.each(['/v1/channels', '/v1/nothing', '/v1', '/v1/events?accountId=acme'])(
  '%s without the key, or with another one, is 401 and nothing else',
  async path => {
    for (const authorization of [undefined, 'Bearer wrong-key-wrong-key', 'Basic x']) {
      const headers = authorization ? { authorization } : undefined
      const answer = await asProgram(`${running.system.url}${path}`, { headers })
      expect(answer).toMatchObject({
        status: 401,
        type: 'application/problem+json',
        body: { code: 'unauthorized' },
      })
    }
  },
)

test.each([
  ['an unknown provider', { provider: 'yahoo' }, 'provider_unknown', { field: 'provider', found: 'yahoo' }],
  [
    'an account id with a space',
    { accountId: 'a b' },
    'request_invalid',
    { field: 'accountId', found: 'a b' },
  ],
  ['a field nobody knows', { color: 'red' }, 'request_invalid', { field: 'color', found: 'red' }],
  ['a foreign returnUrl', { returnUrl: 'https://evil.example/' }, 'request_invalid', { field: 'returnUrl' }],
])(
  'a connect session with %s is refused, naming field, rule and value',
  async (_what, change, code, error) => {
    const document = { accountId: 'acme', provider: 'microsoft', ...change }
    const answer = await running.app.call('POST', '/v1/connect-sessions', document)
    expect(answer).toMatchObject({ status: 400, body: { code, errors: [error] } })
    expect(answer.body.errors[0].rule).not.toBe('')
  },
)

test('a body that is no JSON is refused without repeating it', async () => {
  const response = await fetch(`${running.system.url}/v1/connect-sessions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${running.system.apiKey}`, 'content-type': 'application/json' },
    body: '{"accountId": secret',
  })
  const text = await response.text()
  expect(response.status).toBe(400)
  expect(JSON.parse(text)).toMatchObject({ code: 'json_invalid', errors: [{ field: 'body' }] })
  expect(text).not.toContain('secret')
})

test('a message for an unknown channel is 404 and names the channel', async () => {
  const answer = await running.app.send('ch_nobody', letter, 'k')
  expect(answer).toMatchObject({
    status: 404,
    body: { code: 'channel_not_found', errors: [{ found: 'ch_nobody' }] },
  })
})

test('a bad message is refused naming the field, and nothing of it is stored', async () => {
  const channel = await running.connect('ada')
  const path = `/v1/channels/${channel.id}/messages`
  const noKey = await running.app.call('POST', path, letter)
  expect(noKey).toMatchObject({ status: 400, body: { code: 'idempotency_key_missing' } })
  const badAddress = await running.app.send(
    channel.id,
    { ...letter, to: [{ address: 'x@y\r\nBcc: z@z.example' }] },
    'k',
  )
  expect(badAddress).toMatchObject({ status: 400, body: { errors: [{ field: 'to.0.address' }] } })
  const list = await running.app.call('GET', `${path}?direction=outbound`)
  expect(list.body).toEqual({ messages: [], cursor: null })
})

test('a connect link that was never given out is not known', async () => {
  const answer = await asProgram(`${running.system.url}/connect/cs_x.y`)
  expect(answer).toMatchObject({ status: 404, body: { code: 'ticket_invalid' } })
})

test('a connect link that was used works in no other browser', async () => {
  const { connectUrl } = await openSession()
  const first = newPerson()
  await first.visit(connectUrl)
  expect((await first.visit(connectUrl, {})).status).toBe(303)
  expect(await asProgram(connectUrl)).toMatchObject({ status: 410, body: { code: 'ticket_used' } })
})

test('a form posted without the page’s cookie begins nothing', async () => {
  const { connectUrl, id } = await openSession()
  expect(await asProgram(connectUrl, { method: 'POST' })).toMatchObject({
    status: 403,
    body: { code: 'browser_mismatch' },
  })
  expect((await running.app.call('GET', `/v1/connect-sessions/${id}`)).body.state).toBe('open')
})

test('a sign-in answer with a made-up state is refused and changes nothing', async () => {
  const { id } = await openSession()
  const callback = `${running.system.url}/oauth/microsoft/callback`
  const answer = await asProgram(`${callback}?code=x&state=${id}.made-up`)
  expect(answer).toMatchObject({ status: 400, body: { code: 'state_invalid' } })
  expect((await running.app.call('GET', `/v1/connect-sessions/${id}`)).body.state).toBe('open')
})

test('a sign-in answer works once, and not in another browser', async () => {
  const { connectUrl } = await openSession({ autoConfirm: true })
  const person = newPerson()
  await person.visit(connectUrl)
  const authorize = await person.visit(connectUrl, {})
  const consent = await person.visit(authorize.location ?? '')
  const answered = await person.visit(consent.location ?? '', { persona: 'margaret', decision: 'accept' })
  const callback = answered.location ?? ''
  expect(await asProgram(callback)).toMatchObject({ status: 403, body: { code: 'browser_mismatch' } })
  expect((await person.visit(callback)).status).toBe(200)
  expect((await person.visit(callback)).status).toBe(410)
})

test('a sign-in answer with a code of no provider fails the session with a reason', async () => {
  const { connectUrl, id } = await openSession()
  const person = newPerson()
  await person.visit(connectUrl)
  const { location } = await person.visit(connectUrl, {})
  const state = new URL(location ?? '').searchParams.get('state')
  const page = await person.visit(
    `${running.system.url}/oauth/microsoft/callback?code=made-up&state=${state}`,
  )
  expect(page).toMatchObject({ status: 400, text: expect.stringContaining('code_refused') })
  const { body } = await running.app.call('GET', `/v1/connect-sessions/${id}`)
  expect(body).toMatchObject({
    state: 'failed',
    channelId: null,
    fault: { code: 'code_refused', actor: 'owner' },
  })
})

test('declining leaves no channel, and the app reads why', async () => {
  const { connectUrl, id } = await openSession({ accountId: 'decliner' })
  const page = await newPerson().connect(connectUrl, 'grace', { decision: 'decline' })
  expect(page).toMatchObject({ status: 403, text: expect.stringContaining('consent_declined') })
  const { body } = await running.app.call('GET', `/v1/connect-sessions/${id}`)
  expect(body.fault.code).toBe('consent_declined')
  expect((await running.app.call('GET', '/v1/channels?accountId=decliner')).body.channels).toEqual([])
})
