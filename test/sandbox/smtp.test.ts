/** Submission: who may log in with which name, on the wire; what is accepted; where it goes. */
import nodemailer from 'nodemailer'
import { expect, test } from 'vitest'
import { auth, exchangeSession, gmailSession } from './logins.ts'
import { accessTokenOf, listMessages, type RunningSandbox, sandboxForTest } from './running-sandbox.ts'
import { openPlain, smtpReply } from './wire.ts'

/** A client as an app uses it. */
function transport(sandbox: RunningSandbox, { user, token }: { user: string; token: string }) {
  const { host, port, security } =
    sandbox.providers[user.endsWith('gmail-sandbox.example') ? 'google' : 'microsoft'].smtp
  return nodemailer.createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: true,
    tls: { ca: sandbox.ca },
    auth: { type: 'OAuth2', user, accessToken: token },
  })
}

test('AUTH is neither shown nor taken before TLS', async () => {
  const sandbox = await sandboxForTest()
  const wire = await openPlain(sandbox.ports.smtp)
  await wire.until(smtpReply)
  wire.send('EHLO client.example')
  const plain = await wire.until(smtpReply)
  expect(plain.join()).toContain('STARTTLS')
  expect(plain.join()).not.toContain('AUTH')
  wire.send('AUTH XOAUTH2 eA==')
  expect((await wire.until(smtpReply)).at(-1)).toMatch(/^5/)
})

test('XOAUTH2 is the only mechanism after TLS', async () => {
  const sandbox = await sandboxForTest()
  const wire = await exchangeSession(sandbox)
  wire.send('EHLO client.example')
  expect((await wire.until(smtpReply)).filter(line => line.includes('AUTH'))).toEqual([
    expect.stringMatching(/AUTH XOAUTH2$/),
  ])
})

test('with one and the same token the UPN, in any case, gets 235 and the mailbox address a direct 535 5.7.3', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  const refused = await auth(await exchangeSession(sandbox), { user: 'Grace.Hopper@tenant-b.example', token })
  // One line and no 334: the refusal is the very answer to AUTH.
  expect(refused).toEqual([
    expect.stringMatching(/^535 5\.7\.3 Authentication unsuccessful \[\S+ \S+Z [0-9A-F]{16}\]$/),
  ])
  const accepted = await auth(await exchangeSession(sandbox), { user: 'GRACE@tenant-a.example', token })
  expect(accepted).toEqual(['235 2.7.0 Authentication successful'])
})

test('an alias is refused where the sign-in name equals the mailbox address, too', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const [line] = await auth(await exchangeSession(sandbox), { user: 'ada.lovelace@contoso.example', token })
  expect(line).toMatch(/^535 5\.7\.3 /)
})

test.for<[string, Record<string, string>]>([
  ['for Graph, since its scopes had no resource', { scope: 'openid IMAP.AccessAsUser.All SMTP.Send' }],
  ['without SMTP.Send', { scope: 'openid https://outlook.office.com/IMAP.AccessAsUser.All' }],
])('a token %s is refused with 535 5.7.3', async ([, parameters]) => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada', parameters })
  expect(token.split('.')).toHaveLength(3)
  expect(await auth(await exchangeSession(sandbox), { user: 'ada@contoso.example', token })).toEqual([
    expect.stringMatching(/^535 5\.7\.3 /),
  ])
})

test('garbage, a token of another person and a token of Google are refused with 535 5.7.3', async () => {
  const sandbox = await sandboxForTest()
  const others = [
    'garbage',
    await accessTokenOf(sandbox, { persona: 'margaret' }),
    await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' }),
  ]
  for (const token of others) {
    expect(await auth(await exchangeSession(sandbox), { user: 'ada@contoso.example', token })).toEqual([
      expect.stringMatching(/^535 5\.7\.3 /),
    ])
  }
})

test('a token of another sandbox, with the same claims but another key, is refused', async () => {
  const [sandbox, other] = [await sandboxForTest(), await sandboxForTest()]
  const token = await accessTokenOf(other, { persona: 'ada' })
  expect((await auth(await exchangeSession(sandbox), { user: 'ada@contoso.example', token }))[0]).toMatch(
    /^535 /,
  )
})

test('a token is refused from the moment it expires', async () => {
  let aheadMs = 0
  const sandbox = await sandboxForTest({ accessTokenSeconds: 60, now: () => Date.now() + aheadMs })
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const login = { user: 'ada@contoso.example', token }
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
  aheadMs = 61_000
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^535 5\.7\.3 /)
})

test('Gmail refuses by a challenge, and by 535-5.7.8 once the client answered it', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, {
    persona: 'linus',
    provider: 'google',
    parameters: { scope: 'openid email' },
  })
  const wire = await gmailSession(sandbox)
  const [challenge = ''] = await auth(wire, { user: 'linus@gmail-sandbox.example', token })
  expect(challenge).toMatch(/^334 /)
  expect(JSON.parse(Buffer.from(challenge.slice(4), 'base64').toString())).toEqual({
    status: '400',
    schemes: 'Bearer',
    scope: 'https://mail.google.com/',
  })
  wire.send('')
  const refusal = await wire.until(smtpReply)
  expect(refusal[0]).toMatch(/^535-5\.7\.8 Username and Password not accepted/)
  expect(refusal.at(-1)).toMatch(/^535 5\.7\.8 .* gsmtp$/)
})

test('the greeting comes at once', async () => {
  const sandbox = await sandboxForTest()
  const tookMs: number[] = []
  for (let turn = 0; turn < 5; turn++) {
    const startMs = performance.now()
    await (await openPlain(sandbox.ports.smtp)).until(smtpReply)
    tookMs.push(performance.now() - startMs)
  }
  // The fastest of five, since this machine may be busy; smtp-server's own pause is 100 ms each time.
  expect(Math.min(...tookMs)).toBeLessThan(80)
})

test('a mail from one persona to another lands in Sent, in INBOX, and with strangers outside, byte for byte', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const sent = await transport(sandbox, { user: 'ada@contoso.example', token }).sendMail({
    envelope: {
      from: 'ada@contoso.example',
      to: ['grace.hopper@TENANT-B.example', 'customer@outside.example'],
    },
    raw: 'From: Ada <ada@contoso.example>\r\nTo: Grace.Hopper@tenant-b.example\r\nMessage-ID: <one@contoso.example>\r\nSubject: Hi\r\n\r\n.dot\r\ngr\u00fc\u00df\r\n',
  })
  expect(sent.response).toMatch(/^250 2\.0\.0 OK <one@contoso\.example> \[Hostname=\S+\]$/)
  const raw = async (path: string) => (await fetch(`${sandbox.origin}${path}`)).text()
  const expected =
    'From: Ada <ada@contoso.example>\r\nTo: Grace.Hopper@tenant-b.example\r\nMessage-ID: <one@contoso.example>\r\nSubject: Hi\r\n\r\n.dot\r\ngr\u00fc\u00df\r\n'
  expect(await raw('/personas/ada/folders/Sent/1')).toBe(expected)
  expect(await raw('/personas/grace/folders/INBOX/1')).toBe(expected)
  expect(await listMessages(sandbox, '/outside')).toMatchObject([
    { recipient: 'customer@outside.example', messageId: '<one@contoso.example>' },
  ])
})

test('mail as somebody else is refused at the end of DATA with SendAsDenied and stored nowhere', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const send = transport(sandbox, { user: 'ada@contoso.example', token }).sendMail({
    from: 'grace@tenant-a.example',
    to: 'margaret@fabrikam.example',
    text: 'x',
  })
  await expect(send).rejects.toMatchObject({
    responseCode: 554,
    response: expect.stringMatching(/^554 5\.2\.252 SendAsDenied/),
    command: 'DATA',
  })
  expect(await listMessages(sandbox, '/personas/ada/folders/Sent')).toEqual([])
  expect(await listMessages(sandbox, '/personas/margaret/folders/INBOX')).toEqual([])
})

test('Grace sends as her mailbox address though she logs in by her UPN', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'grace' })
  const sent = await transport(sandbox, { user: 'grace@tenant-a.example', token }).sendMail({
    from: 'Grace.Hopper@tenant-b.example',
    to: 'ada@contoso.example',
    text: 'x',
  })
  expect(sent.accepted).toEqual(['ada@contoso.example'])
})

test("Gmail writes the account's address over a foreign From and answers without a Message-ID", async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' })
  const sent = await transport(sandbox, { user: 'linus@gmail-sandbox.example', token }).sendMail({
    from: 'other@outside.example',
    to: 'ada@contoso.example',
    text: 'x',
  })
  expect(sent.response).toMatch(/^250 2\.0\.0 OK {2}\d+ \S+ - gsmtp$/)
  const [received] = await listMessages(sandbox, '/personas/ada/folders/INBOX')
  expect(received?.from).toEqual([{ address: 'linus@gmail-sandbox.example' }])
  const raw = await (await fetch(`${sandbox.origin}/personas/ada/folders/INBOX/1`)).text()
  expect(raw).toContain('X-Google-Original-From: other@outside.example')
})

test.for([
  { user: 'ada@contoso.example', megabytes: 36, persona: 'ada', reply: /^552 5\.3\.4 / },
  { user: 'linus@gmail-sandbox.example', megabytes: 26, persona: 'linus', reply: /^552 5\.2\.3 / },
])('a mail over the limit is refused after DATA ($persona)', async ({ user, megabytes, persona, reply }) => {
  const sandbox = await sandboxForTest()
  const provider = persona === 'linus' ? 'google' : 'microsoft'
  const token = await accessTokenOf(sandbox, { persona, provider })
  const line = `${'x'.repeat(998)}\r\n`
  const send = transport(sandbox, { user, token }).sendMail({
    envelope: { from: user, to: user },
    raw: `From: ${user}\r\n\r\n${line.repeat(megabytes * 1049)}`,
  })
  await expect(send).rejects.toMatchObject({ responseCode: 552, response: expect.stringMatching(reply) })
  expect(await listMessages(sandbox, `/personas/${persona}/folders/INBOX`)).toEqual([])
})

test('a mail without a Message-ID gets one, and the reply tells which', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const sent = await transport(sandbox, { user: 'ada@contoso.example', token }).sendMail({
    envelope: { from: 'ada@contoso.example', to: 'grace@tenant-a.example' },
    raw: 'From: ada@contoso.example\r\n\r\nx\r\n',
  })
  const [received] = await listMessages(sandbox, '/personas/grace/folders/INBOX')
  expect(received?.messageId).toMatch(/^<\S+>$/)
  expect(sent.response).toContain(`OK ${received?.messageId} [`)
})
