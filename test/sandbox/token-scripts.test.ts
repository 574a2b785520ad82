/** Scripts at the token endpoint: refusals, silence, lost answers, answers that lack something. */
import { expect, test } from 'vitest'
import type { ProviderId } from '../../infra/sandbox/personas.ts'
import type { Sandbox } from '../../infra/sandbox/sandbox.ts'
import { auth, authenticate, exchangeSession, gmailSession } from './logins.ts'
import {
  askForTokens,
  codeForm,
  decide,
  follow,
  newFlow,
  sandboxForFile,
  sandboxForTest,
  signIn,
} from './running-sandbox.ts'

const running = sandboxForFile()
const people = [
  { provider: 'microsoft', persona: 'ada' },
  { provider: 'google', persona: 'linus' },
] as const

interface Who {
  provider: ProviderId
  persona: string
}

/** Consents with the script and returns the form that redeems the code. */
async function codeOf(sandbox: Sandbox, { provider, persona, script }: Who & { script: string }) {
  const flow = newFlow(sandbox, { provider, parameters: { prompt: 'consent' } })
  return codeForm(flow, await decide(sandbox, { flow, persona, script }))
}

/** Asks without reading the answer. */
function post(sandbox: Sandbox, { provider, form }: { provider: ProviderId; form: Record<string, string> }) {
  const { clientId, clientSecret } = sandbox.apps[provider]
  return fetch(sandbox.providers[provider].tokenEndpoint.replace('{tenant}', 'common'), {
    method: 'POST',
    body: new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...form }),
    signal: AbortSignal.timeout(400),
  })
}

test('client_secret_expired is 401 invalid_client 7000222, at the code and at a refresh, and spends no code', async () => {
  const sandbox = running()
  const who = { provider: 'microsoft', persona: 'ada' } as const
  const form = await codeOf(sandbox, { ...who, script: 'client_secret_expired' })
  const refused = { status: 401, body: { error: 'invalid_client', error_codes: [7000222] } }
  const answer = await askForTokens(sandbox, { form })
  expect(answer).toMatchObject(refused)
  expect(answer.body.error_description).toMatch(/^AADSTS7000222: .+\r\nCorrelation ID: /)
  await follow(sandbox, { persona: 'ada', script: null })
  const { body } = await askForTokens(sandbox, { form })
  await follow(sandbox, { persona: 'ada', script: 'client_secret_expired' })
  const refresh = { grant_type: 'refresh_token', refresh_token: body.refresh_token ?? '' }
  expect(await askForTokens(sandbox, { form: refresh })).toMatchObject(refused)
})

test.for(people)('token_html_503 is a web page with status 503 ($provider)', async who => {
  const sandbox = running()
  const form = await codeOf(sandbox, { ...who, script: 'token_html_503' })
  const answer = await post(sandbox, { ...who, form })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([503, 'text/html; charset=utf-8'])
  expect(await answer.text()).toContain('<html>')
})

test.for(people)('token_hangs answers nothing, and spends no code ($provider)', async who => {
  const sandbox = running()
  const form = await codeOf(sandbox, { ...who, script: 'token_hangs' })
  await expect(post(sandbox, { ...who, form })).rejects.toMatchObject({ name: 'TimeoutError' })
  await follow(sandbox, { persona: who.persona, script: null })
  expect((await askForTokens(sandbox, { ...who, form })).status).toBe(200)
})

test.for(people)('token_dropped ends the connection after the code was spent ($provider)', async who => {
  const sandbox = running()
  const form = await codeOf(sandbox, { ...who, script: 'token_dropped' })
  await expect(post(sandbox, { ...who, form })).rejects.toMatchObject({ name: 'TypeError' })
  await follow(sandbox, { persona: who.persona, script: null })
  expect(await askForTokens(sandbox, { ...who, form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})

test('mail_unticked gives tokens without the mail scope, and they open no mail server', async () => {
  const sandbox = running()
  const who = { provider: 'google', persona: 'linus' } as const
  const { tokens } = await signIn(sandbox, { ...who, script: 'mail_unticked' })
  expect(tokens.id_token).toEqual(expect.any(String))
  expect(tokens.scope?.split(' ')).toContain('openid')
  expect(tokens.scope).not.toContain('https://mail.google.com/')
  const login = { user: 'linus@gmail-sandbox.example', token: tokens.access_token ?? '' }
  expect((await auth(await gmailSession(sandbox), login))[0]).toMatch(/^334 /)
})

test('smtp_scope_missing gives a token that opens IMAP and not SMTP, and says so in scope', async () => {
  const sandbox = running()
  const { tokens } = await signIn(sandbox, { persona: 'ada', script: 'smtp_scope_missing' })
  expect(tokens.scope).toContain('https://outlook.office.com/IMAP.AccessAsUser.All')
  expect(tokens.scope).not.toContain('SMTP.Send')
  const login = { user: 'ada@contoso.example', token: tokens.access_token ?? '' }
  expect(await authenticate(sandbox, login)).toEqual(['A1 OK AUTHENTICATE completed.'])
  expect(await auth(await exchangeSession(sandbox), login)).toEqual([expect.stringMatching(/^535 5\.7\.3 /)])
})

test('scopes_respelled changes only how the scopes are written', async () => {
  const sandbox = running()
  const { tokens } = await signIn(sandbox, { persona: 'ada', script: 'scopes_respelled' })
  const usual = (await signIn(sandbox, { persona: 'ada', script: '' })).tokens
  const names = (scope = '') =>
    scope.split(' ').map(name => name.slice(name.lastIndexOf('/') + 1).toLowerCase())
  expect(names(tokens.scope)).toEqual(names(usual.scope).reverse())
  expect(tokens.scope).toContain('HTTPS://OUTLOOK.OFFICE365.COM/SMTP.SEND')
  const login = { user: 'ada@contoso.example', token: tokens.access_token ?? '' }
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
})

test.for([
  ['no_refresh_token', 'refresh_token', people[0]],
  ['no_refresh_token', 'refresh_token', people[1]],
  ['no_id_token', 'id_token', people[0]],
  ['no_id_token', 'id_token', people[1]],
] as const)('%s: the answer has no %s, and all the rest', async ([script, omitted, who]) => {
  const sandbox = running()
  const parameters = { prompt: 'consent' }
  const { tokens } = await signIn(sandbox, { ...who, parameters, script })
  const usual = (await signIn(sandbox, { ...who, parameters, script: '' })).tokens
  expect(Object.keys(usual).sort()).toEqual([...Object.keys(tokens), omitted].sort())
})

test.for([
  ['grant_revoked', people[0], /^AADSTS50173: .+\r\nCorrelation ID: /],
  ['google_grant_revoked', people[1], /^Token has been expired or revoked\.$/],
] as const)('%s refuses refreshes until the next consent', async ([script, who, description]) => {
  const sandbox = running()
  const parameters = { prompt: 'consent' }
  const { tokens } = await signIn(sandbox, { ...who, parameters, script: '' })
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
  await follow(sandbox, { persona: who.persona, script })
  const refused = await askForTokens(sandbox, { ...who, form })
  expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  expect(refused.body.error_description).toMatch(description)
  const again = await signIn(sandbox, { ...who, parameters })
  const newForm = { ...form, refresh_token: again.tokens.refresh_token ?? '' }
  expect((await askForTokens(sandbox, { ...who, form: newForm })).status).toBe(200)
})

test('a revocation that is chosen in the consent itself lets it through and refuses the first refresh', async () => {
  const sandbox = running()
  const { tokens } = await signIn(sandbox, { persona: 'ada', script: 'grant_revoked' })
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
  expect(await askForTokens(sandbox, { form })).toMatchObject({ body: { error_codes: [50173] } })
})

test('a script of one persona leaves the others alone', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'ada', script: 'token_html_503' })
  expect((await signIn(sandbox, { persona: 'grace' })).tokens.access_token).toEqual(expect.any(String))
})
