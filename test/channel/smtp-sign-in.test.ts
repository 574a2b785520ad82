/** What every way in which an SMTP sign-in can end is called, and that the token is told to nobody but a trusted server. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openSmtp, type SmtpSession } from '../../functions/channel/smtp.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import {
  type ScriptedSmtp,
  type SmtpAnswer,
  type SmtpStage,
  startScriptedSmtp,
} from '../support/scripted-smtp.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'

const accessToken = 'token-that-nobody-may-see'
const user = 'ada@contoso.example'
const blob = Buffer.from(`user=${user}\x01auth=Bearer ${accessToken}\x01\x01`).toString('base64')

const login = ({ server }: ScriptedSmtp) => openSmtp({ server, user, accessToken })

async function signedIn(smtp: ScriptedSmtp): Promise<SmtpSession> {
  const session = await login(smtp)
  onTestFinished(() => session.close())
  return session
}

function expectNoToken(error: unknown): void {
  expect(textsOf(error)).not.toContain(accessToken)
  expect(textsOf(error)).not.toContain(blob.slice(20, 60))
}

/** The error of a sign-in for which one stage goes as scripted. */
async function loginFault(stage: SmtpStage, answer: SmtpAnswer) {
  const smtp = await startScriptedSmtp()
  smtp.always[stage] = answer
  const error = await thrownBy(() => login(smtp))
  expectNoToken(error)
  return { smtp, error }
}

test('a sign-in is XOAUTH2 with user and token, after TLS', async () => {
  const smtp = await startScriptedSmtp()
  await signedIn(smtp)
  expect(smtp.lines).toContain(`AUTH XOAUTH2 ${blob}`)
  expect(smtp.clearLines.map(line => line.slice(0, 8))).toEqual(['EHLO [12', 'STARTTLS'])
})

test('a sign-in works with TLS from the first byte', async () => {
  const smtp = await startScriptedSmtp({ security: 'tls' })
  await signedIn(smtp)
  expect(smtp.clearLines).toEqual([])
})

test.each([
  ['Exchange', 'AUTH LOGIN XOAUTH2'],
  ['Gmail', 'AUTH LOGIN PLAIN XOAUTH2 PLAIN-CLIENTTOKEN OAUTHBEARER XOAUTH'],
])('a sign-in is XOAUTH2 whatever else the server offers: %s', async (_server, offer) => {
  const smtp = await startScriptedSmtp()
  smtp.extensions = ['SIZE 157286400', '8BITMIME', offer]
  await signedIn(smtp)
  expect(smtp.lines.filter(line => line.startsWith('AUTH'))).toEqual([`AUTH XOAUTH2 ${blob}`])
})

test('Exchange’s refusal: 535 at once', async () => {
  const { error } = await loginFault('auth', '535 5.7.3 Authentication unsuccessful [TEST 2026]')
  expect(error).toMatchObject({
    code: 'smtp_auth_refused',
    evidence: '535 5.7.3 Authentication unsuccessful [TEST 2026]',
  })
})

test('Gmail’s refusal: a challenge is answered by an empty line, then 535 in two lines', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.auth = `334 ${Buffer.from('{"status":"400","schemes":"Bearer"}').toString('base64')}`
  smtp.always.challenge = '535-5.7.8 Username and Password not accepted.\r\n535 5.7.8 Learn more - gsmtp'
  const error = await thrownBy(() => login(smtp))
  expect(error.code).toBe('smtp_auth_refused')
  expect(smtp.lines.at(-1)).toBe('')
  expectNoToken(error)
})

test('a refusal for now is no refusal of the login: 454', async () => {
  const { error } = await loginFault('auth', '454 4.7.0 Temporary authentication failure')
  expect(error.code).toBe('smtp_temporary')
})

test.each<SmtpStage>(['greeting', 'ehlo', 'starttls', 'auth'])('421 at %s: unreachable', async stage => {
  const { error } = await loginFault(stage, { reply: '421 4.3.2 Service not available', thenDrop: true })
  expect(error.code).toBe('smtp_unreachable')
})

test.each<SmtpStage>(['greeting', 'ehlo', 'starttls', 'auth'])('a drop at %s: unreachable', async stage => {
  const { error } = await loginFault(stage, 'drop')
  expect(error.code).toBe('smtp_unreachable')
})

test.each<[SmtpStage, string]>([
  ['greeting', '554 5.7.1 No SMTP service here'],
  ['ehlo', '550 5.7.1 Access denied'],
  ['starttls', '502 5.5.1 Command not implemented'],
  ['auth', '504 5.7.4 Unrecognized authentication type'],
  ['auth', '501 5.5.124 Invalid XOAUTH2 auth data'],
])('a refusal before any mail is named is no refusal of a mail: at %s "%s"', async (stage, reply) => {
  const { error } = await loginFault(stage, reply)
  expect(['smtp_unreachable', 'smtp_temporary', 'smtp_auth_refused']).toContain(error.code)
})

test('where STARTTLS is not offered, the token is never sent', async () => {
  const smtp = await startScriptedSmtp()
  smtp.always.ehlo = '250-localhost\r\n250 AUTH XOAUTH2'
  smtp.always.starttls = '502 5.5.1 Command not implemented'
  const error = await thrownBy(() => login(smtp))
  expect(smtp.lines.join('\n')).not.toMatch(/AUTH/)
  expectNoToken(error)
})

test.each(['tls', 'starttls'] as const)(
  'a server without a trusted certificate never sees the token: %s',
  async security => {
    const folder = await mkdtemp(join(tmpdir(), 'postroom-untrusted-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const smtp = await startScriptedSmtp({ security, certificate: await localhostCertificate(folder) })
    const error = await thrownBy(() => login(smtp))
    expect(error.code).toBe('smtp_unreachable')
    expect(smtp.lines.join('\n')).not.toMatch(/AUTH/)
  },
)

test('a server that repeats the command back does not bring the token into the error', async () => {
  const { error } = await loginFault('auth', `500 5.5.2 Error: command not recognized: AUTH XOAUTH2 ${blob}`)
  expectNoToken(error)
})

test('a port that nobody listens on: unreachable', async () => {
  const server = { host: '127.0.0.1', port: 1, security: 'tls' } as const
  expect((await thrownBy(() => openSmtp({ server, user, accessToken }))).code).toBe('smtp_unreachable')
})
