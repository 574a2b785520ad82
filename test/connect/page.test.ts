/** The pages people see: whatever they are given is text on them, and browsers are told to do nothing else. */

import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type FaultCode, faults, PostroomError } from '../../functions/channel/faults.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { checkingPage, connectPage } from '../../functions/connect/connect-page.ts'
import { escapeHtml, redirect } from '../../functions/connect/page.ts'
import { adminDonePage, donePage, failurePage, noLinks } from '../../functions/connect/result-pages.ts'

const evil = `"><script>alert('1')</script><img src=x onerror=alert(1)>&amp;'`
const secret = 'cookie'

const view = {
  appName: 'Acme Desk',
  providerName: 'Microsoft 365',
  mailbox: 'ada@contoso.example',
  isReconnect: false,
  formTarget: 'https://login.example',
  cookie: secret,
}
const fault = { code: 'smtp_disabled', actor: 'tenant_admin', summary: evil, evidence: evil }
const access = { imap: { state: 'ok' as const, fault: null }, smtp: { state: 'blocked' as const, fault } }
const failure = (error: PostroomError) => failurePage(error, noLinks)
const evilUrl = `https://app.example/?x=${evil}`
const refused = new PostroomError('identity_mismatch', {
  errors: [{ field: evil, rule: evil, found: evil }],
  evidence: evil,
})
const pages: [string, () => HttpAnswer][] = [
  ['connect page', () => connectPage({ ...view, appName: evil, providerName: evil, mailbox: evil })],
  ['checking page', () => checkingPage({ email: evil, checkUrl: `/connect/${evil}` })],
  ['done page', () => donePage({ email: evil, isConfirmed: true, access })],
  ['pending page', () => donePage({ email: evil, isConfirmed: false, access: null })],
  ['failure page', () => failurePage(refused, { backUrl: evilUrl, adminUrl: evilUrl, againUrl: evilUrl })],
]

test.each(pages)('nothing on the %s is taken for markup', (_name, page) => {
  const { body = '' } = page()
  expect(body).not.toMatch(/<script|<img|onerror=alert\(1\)>/)
  expect(body).not.toContain(evil)
  expect(body).toContain('&#60;script&#62;')
})

test.each(pages)('the %s may load, frame, run and keep nothing', (_name, page) => {
  const { headers = {} } = page()
  expect(headers).toMatchObject({
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  })
  const policy = String(headers['content-security-policy']).split('; ')
  expect(policy).toContain("default-src 'none'")
  expect(policy).toContain("frame-ancestors 'none'")
  expect(policy).toContain("base-uri 'none'")
  expect(policy.join(' ')).not.toMatch(/unsafe|\*/)
})

test.each(pages)('the style of the %s is the one its policy allows', (_name, page) => {
  const { body = '', headers = {} } = page()
  const [, style = ''] = /<style>([\s\S]*)<\/style>/.exec(body) ?? []
  const hash = createHash('sha256').update(style).digest('base64')
  expect(headers['content-security-policy']).toContain(`style-src 'sha256-${hash}'`)
  expect(body).not.toMatch(/ style=/)
})

test('the form leads here and, by redirect, to the provider only; other pages have no form', () => {
  expect(connectPage(view).headers?.['content-security-policy']).toContain(
    "form-action 'self' https://login.example;",
  )
  expect(adminDonePage().headers?.['content-security-policy']).toContain("form-action 'none'")
})

test('the form posts to its own address, without fields', () => {
  const { body = '' } = connectPage(view)
  expect(body).toMatch(/<form method="post"><button type="submit">/)
  expect(body).not.toMatch(/<input|action=/)
})

test('the connect page says who asks for what, and sets the cookie', () => {
  const page = connectPage(view)
  expect(page.body).toContain('ada@contoso.example')
  expect(page.body).toContain('Microsoft 365')
  expect(page.cookies).toEqual([secret])
})

test('a redirect is 303, keeps nothing and names no referrer', () => {
  expect(redirect('https://login.example/')).toEqual({
    statusCode: 303,
    headers: {
      location: 'https://login.example/',
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
    },
  })
})

test.each(Object.keys(faults) as FaultCode[])(
  'the fault %s has a page with its sentence, its code and who must act',
  code => {
    const page = failure(new PostroomError(code))
    expect(page.statusCode).toBe(faults[code].status)
    expect(page.body).toContain(escapeHtml(faults[code].summary))
    expect(page.body).toContain(`<code>${code}</code>`)
    expect(page.body).not.toContain('undefined')
  },
)

test('what failed inside is not shown to the person', () => {
  const error = new PostroomError('internal', { cause: new Error('cause-text') })
  expect(failure(error).body).not.toContain('cause-text')
})

test('escaping leaves ordinary text as it is', () => {
  expect(escapeHtml('Ä 한 a-b_c.d')).toBe('Ä 한 a-b_c.d')
  expect(escapeHtml(`&<>"'`)).toBe('&#38;&#60;&#62;&#34;&#39;')
})
