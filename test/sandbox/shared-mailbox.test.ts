/** The shared mailbox: who opens it, who sends as it, with which names, and where copies go. */
import nodemailer from 'nodemailer'
import { expect, test } from 'vitest'
import { auth, authenticate, exchangeSession, imapSession } from './logins.ts'
import {
  accessTokenOf,
  listMessages,
  newFlow,
  type RunningSandbox,
  sandboxForTest,
  sendConsent,
} from './running-sandbox.ts'

const support = 'support@contoso.example'

async function sendAsSupport(sandbox: RunningSandbox, who: { persona: string; user: string }) {
  const { host, port } = sandbox.providers.microsoft.smtp
  const accessToken = await accessTokenOf(sandbox, { persona: who.persona })
  const auth = { type: 'OAuth2', user: who.user, accessToken } as const
  return nodemailer
    .createTransport({ host, port, requireTLS: true, tls: { ca: sandbox.ca }, auth })
    .sendMail({ from: `Support <${support}>`, to: 'customer@outside.example', text: 'x' })
}

test("over IMAP the shared address and the delegate's token open the shared mailbox", async () => {
  const sandbox = await sandboxForTest()
  await fetch(`${sandbox.origin}/mailboxes/support/deliver`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ from: { address: 'k@outside.example' }, subject: 's', text: 't' }),
  })
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const count = async (user: string) => {
    const { wire, lines } = await imapSession(sandbox, { user, token })
    expect(lines).toEqual(['A1 OK AUTHENTICATE completed.'])
    wire.send('A2 STATUS INBOX (MESSAGES)')
    return (await wire.until(/^A2 OK/))[0]
  }
  expect(await count('Support@contoso.example')).toBe('* STATUS INBOX (MESSAGES 1)')
  expect(await count('ada@contoso.example')).toBe('* STATUS INBOX (MESSAGES 0)')
})

test.for(['margaret', 'alan'])('%s, without access, is logged in and not connected', async persona => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona })
  const { wire, lines } = await imapSession(sandbox, { user: support, token })
  expect(lines).toEqual(['A1 OK AUTHENTICATE completed.'])
  wire.send('A2 SELECT INBOX')
  expect(await wire.until(/^A2 /)).toEqual(['A2 BAD User is authenticated but not connected.'])
})

test('a token that opens no IMAP is refused at the shared mailbox as anywhere', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'linus', provider: 'google' })
  expect(await authenticate(sandbox, { user: support, token })).toEqual(['A1 NO AUTHENTICATE failed.'])
})

test('over SMTP the shared address is no login, not even for the delegate', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  expect(await auth(await exchangeSession(sandbox), { user: support, token })).toEqual([
    expect.stringMatching(/^535 5\.7\.3 /),
  ])
})

test("the delegate sends as the shared address with their own login, and the copy lands in the delegate's Sent", async () => {
  const sandbox = await sandboxForTest()
  await sendAsSupport(sandbox, { persona: 'ada', user: 'ada@contoso.example' })
  const from = [{ address: support, name: 'Support' }]
  expect(await listMessages(sandbox, '/personas/ada/folders/Sent')).toMatchObject([{ from }])
  expect(await listMessages(sandbox, '/mailboxes/support/folders/Sent')).toEqual([])
  expect(await listMessages(sandbox, '/outside')).toMatchObject([{ from }])
})

test.for([
  ['margaret', 'margaret@fabrikam.example'],
  ['alan', 'alan@contoso.example'],
] as const)('%s may not send as it', async ([persona, user]) => {
  const sandbox = await sandboxForTest()
  await expect(sendAsSupport(sandbox, { persona, user })).rejects.toMatchObject({
    responseCode: 554,
    response: expect.stringMatching(/^554 5\.2\.252 SendAsDenied/),
  })
  expect(await listMessages(sandbox, '/outside')).toEqual([])
})

test('nobody signs in to it, and it is listed among the mailboxes only', async () => {
  const sandbox = await sandboxForTest()
  expect((await sendConsent(sandbox, { flow: newFlow(sandbox, {}), persona: 'support' })).status).toBe(400)
  expect((await fetch(`${sandbox.origin}/personas/support/folders/INBOX`)).status).toBe(404)
  const mailboxes = await (await fetch(`${sandbox.origin}/mailboxes`)).json()
  expect(mailboxes).toMatchObject({
    mailboxes: expect.arrayContaining([
      {
        id: 'support',
        kind: 'shared',
        provider: 'microsoft',
        name: 'Contoso Support',
        addresses: [support],
        fullAccess: ['ada'],
        sendAs: ['ada'],
      },
    ]),
  })
})

test('the folders of a persona can be read under both addresses', async () => {
  const sandbox = await sandboxForTest()
  expect(await listMessages(sandbox, '/mailboxes/ada/folders/INBOX')).toEqual([])
  expect((await fetch(`${sandbox.origin}/mailboxes/nobody/folders/INBOX`)).status).toBe(404)
})
