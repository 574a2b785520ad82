/** Scripts at the mail servers: what a login that is right is answered all the same, line by line. */
import { connect } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { auth, authenticate, exchangeSession, gmailSession, imapSession } from './logins.ts'
import {
  accessTokenOf,
  follow,
  type RunningSandbox,
  sandboxForFile,
  sandboxForTest,
} from './running-sandbox.ts'
import { openPlain, openTls, smtpReply } from './wire.ts'

const running = sandboxForFile()
const accepted = ['A1 OK AUTHENTICATE completed.']
const unconnected = 'BAD User is authenticated but not connected.'

/** A login that is right in everything, at the time when the script is followed. */
async function loginUnder(sandbox: RunningSandbox, script: string | null) {
  const token = await accessTokenOf(sandbox, { persona: 'ada', script: '' })
  await follow(sandbox, { persona: 'ada', script })
  return { user: 'ada@contoso.example', token }
}

async function gmailLoginUnder(sandbox: RunningSandbox, script: string | null) {
  const token = await accessTokenOf(sandbox, { persona: 'linus', provider: 'google', script: '' })
  await follow(sandbox, { persona: 'linus', script })
  return { user: 'linus@gmail-sandbox.example', token }
}

/** The first bytes that a server says by itself, null if it says nothing for a while. */
function greetingOf(sandbox: RunningSandbox, port: 'smtp' | 'smtps' | 'imap'): Promise<string | null> {
  const where = { host: '127.0.0.1', port: sandbox.ports[port] }
  const socket =
    port === 'smtp' ? connect(where) : connectTls({ ...where, servername: 'localhost', ca: sandbox.ca })
  onTestFinished(() => void socket.destroy())
  const quietMs = 400
  return new Promise((resolve, reject) => {
    socket.once('data', data => resolve(data.toString()))
    socket.once('error', reject)
    socket.once(port === 'smtp' ? 'connect' : 'secureConnect', () => setTimeout(resolve, quietMs, null))
  })
}

test.for<[string, RegExp]>([
  ['smtp_disabled_tenant', /^535 5\.7\.139 .*SmtpClientAuthentication is disabled for the Tenant\. /],
  ['smtp_disabled_mailbox', /^535 5\.7\.139 .*SmtpClientAuthentication is disabled for the Mailbox\. /],
  ['security_defaults', /^535 5\.7\.139 .*user is locked by your organization's security defaults policy\. /],
  [
    'smtp_criteria',
    /^535 5\.7\.139 .*the request did not meet the criteria to be authenticated successfully\. /,
  ],
  ['smtp_535_always', /^535 5\.7\.3 Authentication unsuccessful /],
])('%s is the one answer to AUTH, with host, time and id, and IMAP works', async ([script, reply]) => {
  const sandbox = running()
  const login = await loginUnder(sandbox, script)
  const lines = await auth(await exchangeSession(sandbox), login)
  expect(lines).toEqual([expect.stringMatching(reply)])
  expect(lines[0]).toMatch(/ \[\S+ \S+Z [0-9A-F]{16}\]$/)
  expect(await authenticate(sandbox, login)).toEqual(accepted)
})

test('smtp_535_always at Gmail is a challenge and 535-5.7.8', async () => {
  const sandbox = running()
  const wire = await gmailSession(sandbox)
  expect((await auth(wire, await gmailLoginUnder(sandbox, 'smtp_535_always')))[0]).toMatch(/^334 /)
  wire.send('')
  expect((await wire.until(smtpReply))[0]).toMatch(/^535-5\.7\.8 /)
})

test('imap_disabled takes the login and CAPABILITY, refuses two commands as not connected, and hangs up', async () => {
  const sandbox = running()
  const login = await loginUnder(sandbox, 'imap_disabled')
  const { wire, lines } = await imapSession(sandbox, login)
  expect(lines).toEqual(accepted)
  wire.send('A2 CAPABILITY')
  expect((await wire.until(/^A2 /)).at(-1)).toMatch(/^A2 OK/)
  wire.send('A3 NAMESPACE')
  expect(await wire.until(/^A3 /)).toEqual([`A3 ${unconnected}`])
  wire.send('A4 SELECT INBOX')
  expect(await wire.until(/BYE/)).toEqual([`A4 ${unconnected}`, '* BYE Connection closed. 14'])
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
})

test('imap_refused is NO AUTHENTICATE failed. at Exchange, and SMTP works', async () => {
  const sandbox = running()
  const login = await loginUnder(sandbox, 'imap_refused')
  expect(await authenticate(sandbox, login)).toEqual(['A1 NO AUTHENTICATE failed.'])
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
})

test('imap_refused at Gmail is a challenge and [AUTHENTICATIONFAILED]', async () => {
  const sandbox = running()
  const { user, token } = await gmailLoginUnder(sandbox, 'imap_refused')
  const wire = await openTls(sandbox.ports.imap, sandbox.ca)
  await wire.until(/^\* OK/)
  wire.send(
    `A1 AUTHENTICATE XOAUTH2 ${Buffer.from(`user=${user}\x01auth=Bearer ${token}\x01\x01`).toString('base64')}`,
  )
  await wire.until(/^\+ /)
  wire.send('')
  expect(await wire.until(/^A1 /)).toEqual(['A1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)'])
})

test('gmail_imap_disabled is a NO with the ALERT that says so, and SMTP works', async () => {
  const sandbox = running()
  const login = await gmailLoginUnder(sandbox, 'gmail_imap_disabled')
  expect(await authenticate(sandbox, login)).toEqual([
    'A1 NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)',
  ])
  expect((await auth(await gmailSession(sandbox), login))[0]).toMatch(/^235 /)
})

test('no_licence: IMAP is not connected and SMTP refuses without a reason', async () => {
  const sandbox = running()
  const login = await loginUnder(sandbox, 'no_licence')
  const { wire, lines } = await imapSession(sandbox, login)
  expect(lines).toEqual(accepted)
  wire.send('A2 STATUS INBOX (UIDNEXT)')
  expect(await wire.until(/^A2 /)).toEqual([`A2 ${unconnected}`])
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^535 5\.7\.3 /)
})

test('grant_revoked and google_grant_revoked: both servers refuse', async () => {
  const sandbox = running()
  const ada = await loginUnder(sandbox, 'grant_revoked')
  expect(await authenticate(sandbox, ada)).toEqual(['A1 NO AUTHENTICATE failed.'])
  expect((await auth(await exchangeSession(sandbox), ada))[0]).toMatch(/^535 5\.7\.3 /)
  const linus = await gmailLoginUnder(sandbox, 'google_grant_revoked')
  expect((await auth(await gmailSession(sandbox), linus))[0]).toMatch(/^334 /)
})

test('smtp_hangs: connections are taken and never greeted, at the provider of who follows it only', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'ada', script: 'smtp_hangs' })
  expect(await greetingOf(sandbox, 'smtp')).toBeNull()
  expect(await greetingOf(sandbox, 'smtps')).toMatch(/^220 /)
  await follow(sandbox, { persona: 'ada', script: null })
  await follow(sandbox, { persona: 'linus', script: 'smtp_hangs' })
  expect(await greetingOf(sandbox, 'smtp')).toMatch(/^220 /)
  expect(await greetingOf(sandbox, 'smtps')).toBeNull()
})

test('imap_hangs: connections are taken and never greeted, until nobody follows it', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'linus', script: 'imap_hangs' })
  expect(await greetingOf(sandbox, 'imap')).toBeNull()
  await follow(sandbox, { persona: 'linus', script: null })
  expect(await greetingOf(sandbox, 'imap')).toMatch(/^\* OK/)
})

test('a sandbox with silent connections closes at once', async () => {
  const sandbox = await sandboxForTest()
  await follow(sandbox, { persona: 'ada', script: 'smtp_hangs' })
  await follow(sandbox, { persona: 'linus', script: 'imap_hangs' })
  await Promise.all([greetingOf(sandbox, 'smtp'), greetingOf(sandbox, 'imap')])
  const startMs = performance.now()
  await sandbox.close()
  expect(performance.now() - startMs).toBeLessThan(2000)
})

test('a session that was greeted before the script has no answer to AUTH', async () => {
  const sandbox = await sandboxForTest()
  const token = await accessTokenOf(sandbox, { persona: 'ada' })
  const wire = await exchangeSession(sandbox)
  await follow(sandbox, { persona: 'ada', script: 'smtp_hangs' })
  let answered = false
  void auth(wire, { user: 'ada@contoso.example', token }).then(
    () => {
      answered = true
    },
    () => {},
  )
  expect(await greetingOf(sandbox, 'smtp')).toBeNull()
  expect(answered).toBe(false)
})

test('a login that is wrong is refused as ever, whatever the script says', async () => {
  const sandbox = running()
  const { token } = await loginUnder(sandbox, 'smtp_disabled_tenant')
  const wrong = { user: 'ada.lovelace@contoso.example', token }
  expect((await auth(await exchangeSession(sandbox), wrong))[0]).toMatch(/^535 5\.7\.3 /)
})

test('as usual again, everything opens', async () => {
  const sandbox = running()
  const login = await loginUnder(sandbox, null)
  expect((await auth(await exchangeSession(sandbox), login))[0]).toMatch(/^235 /)
  expect(await authenticate(sandbox, login)).toEqual(accepted)
  expect((await (await openPlain(sandbox.ports.smtp)).until(smtpReply))[0]).toMatch(/^220 /)
})
