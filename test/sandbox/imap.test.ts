/** IMAP: who may log in with which name, and what a client finds. */
import { ImapFlow } from 'imapflow'
import { expect, test } from 'vitest'
import { authenticate } from './logins.ts'
import { accessTokenOf, type RunningSandbox, sandboxForTest } from './running-sandbox.ts'
import { openTls, xoauth2 } from './wire.ts'

const rawMail =
  'From: Kunde <k@outside.example>\r\nTo: ada@contoso.example\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <a@outside.example>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0100\r\n\r\ncaf\u00e9 {3}\r\n\x7f\r\n\r\n'

async function login(
  sandbox: RunningSandbox,
  { user, token }: { user: string; token: string },
): Promise<ImapFlow> {
  const { host, port } = sandbox.providers.microsoft.imap
  const client = new ImapFlow({
    host,
    port,
    secure: true,
    tls: { ca: sandbox.ca },
    auth: { user, accessToken: token },
    logger: false,
  })
  await client.connect()
  return client
}

async function deliverRaw(sandbox: RunningSandbox, raw: string): Promise<void> {
  const response = await fetch(`${sandbox.origin}/personas/ada/deliver`, {
    method: 'POST',
    headers: { 'content-type': 'message/rfc822' },
    body: Buffer.from(raw, 'latin1'),
  })
  expect(response.status).toBe(201)
}

test('with one and the same token the UPN and the mailbox address are both accepted, in any case', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  for (const user of [
    'grace@tenant-a.example',
    'Grace.Hopper@tenant-b.example',
    'GRACE.HOPPER@TENANT-B.EXAMPLE',
  ]) {
    expect(await authenticate(sandbox, { user, token })).toEqual(['A1 OK AUTHENTICATE completed.'])
  }
})

test("another's mailbox, a Graph token, a missing scope, a Google token and garbage are all NO AUTHENTICATE failed.", async () => {
  const sandbox = await sandboxForTest()
  const ada = 'ada@contoso.example'
  const tokens = [
    await accessTokenOf(sandbox, { persona: 'margaret' }),
    await accessTokenOf(sandbox, { persona: 'ada', parameters: { scope: 'openid IMAP.AccessAsUser.All' } }),
    await accessTokenOf(sandbox, {
      persona: 'ada',
      parameters: { scope: 'openid https://outlook.office.com/SMTP.Send' },
    }),
    await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' }),
    'garbage',
  ]
  for (const token of tokens) {
    expect(await authenticate(sandbox, { user: ada, token })).toEqual(['A1 NO AUTHENTICATE failed.'])
  }
})

test('a token is refused from the moment it expires', async () => {
  let aheadMs = 0
  const sandbox = await sandboxForTest({ accessTokenSeconds: 60, now: () => Date.now() + aheadMs })
  const user = { user: 'ada@contoso.example', token: await accessTokenOf(sandbox, { persona: 'ada' }) }
  expect(await authenticate(sandbox, user)).toEqual(['A1 OK AUTHENTICATE completed.'])
  aheadMs = 61_000
  expect(await authenticate(sandbox, user)).toEqual(['A1 NO AUTHENTICATE failed.'])
})

test('a token of Google is refused from the moment it expires', async () => {
  let aheadMs = 0
  const sandbox = await sandboxForTest({ accessTokenSeconds: 60, now: () => Date.now() + aheadMs })
  const token = await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' })
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  aheadMs = 61_000
  wire.send(`A1 AUTHENTICATE XOAUTH2 ${xoauth2({ user: 'linus@gmail-sandbox.example', token })}`)
  expect((await wire.until(/^(\+|A1) /)).at(-1)).toMatch(/^\+ /)
})

test('Gmail challenges first and then says [AUTHENTICATIONFAILED]; so after a revocation', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' })
  const user = { user: 'linus@gmail-sandbox.example', token }
  expect(await authenticate(sandbox, user)).toEqual(['A1 OK AUTHENTICATE completed.'])
  await fetch(`${sandbox.providers.google.revocationEndpoint}?token=${token}`, { method: 'POST' })
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  wire.send(`A1 AUTHENTICATE XOAUTH2 ${xoauth2(user)}`)
  const [challenge = ''] = await wire.until(/^\+ /)
  expect(JSON.parse(Buffer.from(challenge.slice(2), 'base64').toString())).toMatchObject({
    status: '400',
    schemes: 'Bearer',
  })
  wire.send('')
  expect(await wire.until(/^A1 /)).toEqual(['A1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)'])
})

test('passwords are not taken', async () => {
  const sandbox = await sandboxForTest()
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  wire.send('A1 CAPABILITY')
  const [capability = ''] = await wire.until(/^A1 /)
  expect(capability).toContain('AUTH=XOAUTH2')
  expect(capability).toContain('SASL-IR')
  expect(capability).not.toContain('AUTH=PLAIN')
  wire.send('A2 LOGIN testuser testpass')
  expect((await wire.until(/^A2 /)).at(-1)).toMatch(/^A2 (NO|BAD)/)
})

test('a bare client polls with three commands', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  await deliverRaw(sandbox, rawMail)
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  wire.send(`A1 AUTHENTICATE XOAUTH2 ${xoauth2({ user: 'ada@contoso.example', token })}`)
  await wire.until(/^A1 OK/)
  wire.send('A2 STATUS INBOX (UIDNEXT UIDVALIDITY MESSAGES)')
  const [status = ''] = await wire.until(/^A2 OK/)
  expect(status).toMatch(/^\* STATUS INBOX \(UIDNEXT 2 UIDVALIDITY \d+ MESSAGES 1\)$/)
  expect(Number(/UIDVALIDITY (\d+)/.exec(status)?.[1])).toBeGreaterThan(1)
  wire.send('A3 LOGOUT')
  await wire.until(/^A3 OK/)
})

test('imapflow reads a folder without changing it and gets the very bytes', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  await deliverRaw(sandbox, rawMail)
  await deliverRaw(sandbox, rawMail.replace('<a@', '<b@'))
  const client = await login(sandbox, { user: 'ada@contoso.example', token })
  expect(await client.status('INBOX', { messages: true, uidNext: true, unseen: true })).toMatchObject({
    messages: 2,
    uidNext: 3,
  })
  await client.mailboxOpen('INBOX', { readOnly: true })
  expect(await client.search({ uid: '1:*' }, { uid: true })).toEqual([1, 2])
  const found = await client.fetchAll(
    '1:*',
    { source: true, envelope: true, internalDate: true, size: true, flags: true },
    { uid: true },
  )
  expect(found.map(({ uid }) => uid)).toEqual([1, 2])
  expect(found[0]?.source?.toString('latin1')).toBe(rawMail)
  expect(found[0]?.size).toBe(rawMail.length)
  expect(found[0]?.envelope).toMatchObject({ messageId: '<a@outside.example>', subject: 'Gr\u00fc\u00dfe' })
  expect(Math.abs(Number(found[0]?.internalDate) - Date.now())).toBeLessThan(60_000)
  expect(await client.status('INBOX', { unseen: true })).toMatchObject({ unseen: 2 })
  await client.logout()
})

test('a mail appended over IMAP keeps its bytes, and Sent is marked as such', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const client = await login(sandbox, { user: 'ada@contoso.example', token })
  const sent = (await client.list()).find(({ specialUse }) => specialUse === '\\Sent')
  expect(sent?.path).toBe('Sent')
  const appended = await client.append('Sent', Buffer.from(rawMail, 'latin1'), ['\\Seen'])
  expect(appended).toMatchObject({ uid: 1 })
  await client.logout()
  const stored = await fetch(`${sandbox.origin}/personas/ada/folders/Sent/1`)
  expect(Buffer.from(await stored.arrayBuffer()).toString('latin1')).toBe(rawMail)
})

test('a client that idles is told of new mail', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const client = await login(sandbox, { user: 'ada@contoso.example', token })
  await client.mailboxOpen('INBOX', { readOnly: true })
  const told = new Promise<{ count: number }>(resolve => client.once('exists', resolve))
  const idling = client.idle()
  await deliverRaw(sandbox, rawMail)
  expect(await told).toMatchObject({ count: 1 })
  await client.logout()
  await idling
})

test('fifty commands with two lines of answer do not wait 40 ms each', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const client = await login(sandbox, { user: 'ada@contoso.example', token })
  const startMs = performance.now()
  for (let turn = 0; turn < 50; turn++) await client.status('INBOX', { messages: true })
  expect(performance.now() - startMs).toBeLessThan(1500)
  await client.logout()
})
