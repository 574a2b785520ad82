/** Tickets and the browser's cookie. */

import { expect, test } from 'vitest'
import { hashSecret, randomSecret } from '../../functions/channel/identifiers.ts'
import { browserCookie, browserSecret, matchesHash, splitTicket } from '../../functions/connect/ticket.ts'
import { httpRequest } from '../support/http-requests.ts'

const withCookies = (...cookies: string[]) => httpRequest('GET /connect/x', { cookies })

test('a ticket is the session’s id, a dot, and the secret', () => {
  expect(splitTicket('cs_1.secret')).toEqual({ sessionId: 'cs_1', secret: 'secret' })
  expect(splitTicket('cs_1.a.b')).toEqual({ sessionId: 'cs_1', secret: 'a.b' })
})

test.each(['', 'no-dot', '.secret'])('the ticket %j names no session', ticket => {
  expect(splitTicket(ticket).sessionId).toBe('')
})

test('only the secret itself matches its hash, and nothing matches no hash', () => {
  const secret = randomSecret()
  expect(matchesHash(secret, hashSecret(secret))).toBe(true)
  expect(matchesHash(`${secret}x`, hashSecret(secret))).toBe(false)
  expect(matchesHash('', hashSecret(secret))).toBe(false)
  expect(matchesHash(hashSecret(secret), hashSecret(secret))).toBe(false)
  expect(matchesHash(secret, null)).toBe(false)
})

test('the cookie is bound to this host, hidden from scripts, and sent on the way back from the provider', () => {
  const cookie = browserCookie(withCookies(), 600)
  expect(cookie).toMatch(/^__Host-postroom=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/)
  // A `__Host-` cookie with a Domain is refused by every browser.
  expect(cookie).not.toMatch(/domain/i)
})

test('a browser keeps the secret it has, so that a second tab does not end the first', () => {
  const secret = randomSecret()
  expect(browserCookie(withCookies(`__Host-postroom=${secret}`), 600)).toContain(secret)
})

test('two browsers get two secrets', () => {
  expect(browserCookie(withCookies(), 600)).not.toBe(browserCookie(withCookies(), 600))
})

test('the secret is found among other cookies', () => {
  const secret = randomSecret()
  expect(browserSecret(withCookies('theme=dark', `__Host-postroom=${secret}`, 'a=b=c'))).toBe(secret)
})

test.each([
  [[]],
  [[`postroom=${'a'.repeat(43)}`]],
  [['__Host-postroom=']],
  [['__Host-postroom=short']],
  [[`__Host-postroom=${'a'.repeat(44)}`]],
  [[`__Host-postroom=${'a'.repeat(42)}"`]],
])('the cookies %j hold no secret of ours', cookies => {
  expect(browserSecret(withCookies(...cookies))).toBeUndefined()
})
