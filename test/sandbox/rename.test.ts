/** An admin renames an account: what tokens, servers and the mailbox make of it. */
import { decodeJwt } from 'jose'
import { expect, test } from 'vitest'
import { auth, authenticate, exchangeSession, gmailSession } from './logins.ts'
import {
  accessTokenOf,
  askForTokens,
  listMessages,
  put,
  type RunningSandbox,
  sandboxForTest,
  signIn,
} from './running-sandbox.ts'

const newUpn = 'rear.admiral@tenant-a.example'

async function rename(sandbox: RunningSandbox, { persona, body }: { persona: string; body: object }) {
  const answer = await put(sandbox, { path: `/personas/${persona}`, body })
  return { status: answer.status, body: await answer.json() }
}

test('the next token has the new names; the old access token keeps the old ones', async () => {
  const sandbox = await sandboxForTest()
  const { tokens } = await signIn(sandbox, { persona: 'grace' })
  const renamed = await rename(sandbox, {
    persona: 'grace',
    body: { signInName: newUpn, email: 'hopper@tenant-b.example' },
  })
  expect(renamed).toMatchObject({
    status: 200,
    body: {
      signInName: newUpn,
      email: 'hopper@tenant-b.example',
      aliases: ['Grace.Hopper@tenant-b.example'],
    },
  })
  expect(decodeJwt(tokens.access_token ?? '').upn).toBe('grace@tenant-a.example')
  const form = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' }
  const { body } = await askForTokens(sandbox, { form })
  expect(decodeJwt(body.id_token ?? '')).toMatchObject({
    preferred_username: newUpn,
    upn: newUpn,
    email: 'hopper@tenant-b.example',
    oid: decodeJwt(tokens.id_token ?? '').oid,
  })
  expect(decodeJwt(body.access_token ?? '').upn).toBe(newUpn)
})

test('SMTP accepts the new UPN only, with an old token, too', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  await rename(sandbox, { persona: 'grace', body: { signInName: newUpn } })
  for (const fresh of [token, await accessTokenOf(sandbox, { persona: 'grace' })]) {
    const login = async (user: string) =>
      (await auth(await exchangeSession(sandbox), { user, token: fresh }))[0]
    expect(await login(newUpn)).toMatch(/^235 /)
    expect(await login('grace@tenant-a.example')).toMatch(/^535 5\.7\.3 /)
  }
})

test('IMAP accepts the new UPN and the mailbox address, and the former UPN no more', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  await rename(sandbox, { persona: 'grace', body: { signInName: newUpn } })
  const login = async (user: string) => (await authenticate(sandbox, { user, token }))[0]
  expect(await login(newUpn)).toMatch(/^A1 OK/)
  expect(await login('Grace.Hopper@tenant-b.example')).toMatch(/^A1 OK/)
  expect(await login('grace@tenant-a.example')).toMatch(/^A1 NO/)
})

test('mail to the former address still arrives, and so after a restart', async () => {
  const sandbox = await sandboxForTest()
  await rename(sandbox, { persona: 'ada', body: { email: 'countess@contoso.example' } })
  await sandbox.close()
  const again = await sandboxForTest(sandbox.options)
  const linus = { persona: 'linus', provider: 'google' } as const
  const token = await accessTokenOf(again, linus)
  const wire = await gmailSession(again)
  await auth(wire, { user: 'linus@gmail-sandbox.example', token })
  wire.send('MAIL FROM:<linus@gmail-sandbox.example>')
  for (const address of ['ada@contoso.example', 'countess@contoso.example']) wire.send(`RCPT TO:<${address}>`)
  wire.send('DATA')
  await wire.until(/^354 /)
  wire.send('From: linus@gmail-sandbox.example\r\n\r\nx\r\n.')
  await wire.until(/^250 2\.0\.0 OK/)
  expect(await listMessages(again, '/personas/ada/folders/INBOX')).toHaveLength(2)
})

test('a Google account signs in with its address, so that both change together', async () => {
  const sandbox = await sandboxForTest()
  const email = 'torvald@gmail-sandbox.example'
  expect(await rename(sandbox, { persona: 'linus', body: { email } })).toMatchObject({
    body: { signInName: email, email },
  })
  const apart = await rename(sandbox, {
    persona: 'linus',
    body: { signInName: 'a@gmail-sandbox.example', email },
  })
  expect(apart).toMatchObject({ status: 400, body: { field: 'email' } })
})

test('an address can be taken away, and the email claim goes with it', async () => {
  const sandbox = await sandboxForTest()
  await rename(sandbox, { persona: 'ada', body: { email: null } })
  const { tokens } = await signIn(sandbox, { persona: 'ada' })
  expect(decodeJwt(tokens.id_token ?? '')).not.toHaveProperty('email')
})

test.for<[number, string, string, unknown]>([
  [400, 'signInName', 'ada', { signInName: 'not an address' }],
  [400, 'signInName', 'ada', { signInName: 'ada@contoso.example\r\nBcc: x@y.example' }],
  [400, 'email', 'ada', { email: 7 }],
  [400, 'bogus', 'ada', { email: 'a@contoso.example', bogus: 1 }],
  [400, 'body', 'ada', {}],
  [409, 'signInName', 'ada', { signInName: 'Margaret@fabrikam.example' }],
  [409, 'email', 'ada', { email: 'support@contoso.example' }],
  [404, 'id', 'nobody', { email: 'a@contoso.example' }],
])('a rename that cannot be is a %i that names %s', async ([status, field, persona, body]) => {
  const sandbox = await sandboxForTest()
  const answer = await put(sandbox, { path: `/personas/${persona}`, body })
  expect(answer.headers.get('content-type')).toBe('application/problem+json')
  expect(await answer.json()).toMatchObject({ status, field })
})
