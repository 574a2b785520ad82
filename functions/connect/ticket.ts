/** Tickets, states and the browser's cookie: `{session id}.{256 random bits}`, of which we keep the hash. */

import { timingSafeEqual } from 'node:crypto'
import type { HttpRequest } from '../channel/http.ts'
import { hashSecret, randomSecret } from '../channel/identifiers.ts'

/** `__Host-`: this host only, https (or localhost) only, the whole site: no neighbour can plant it. */
const cookieName = '__Host-postroom'

export function splitTicket(ticket: string): { sessionId: string; secret: string } {
  const dot = ticket.indexOf('.')
  return { sessionId: ticket.slice(0, Math.max(dot, 0)), secret: ticket.slice(dot + 1) }
}

export function matchesHash(secret: string, hash: string | null): boolean {
  if (hash === null) return false
  return timingSafeEqual(Buffer.from(hashSecret(secret)), Buffer.from(hash))
}

/** The browser's own secret, if it has one of the right form. */
export function browserSecret(request: HttpRequest): string | undefined {
  for (const cookie of request.cookies ?? []) {
    const [name, value = ''] = cookie.split('=', 2)
    if (name?.trim() === cookieName && /^[\w-]{43}$/.test(value)) return value
  }
  return undefined
}

/** Keeps what the browser has, so that a second tab does not end the sign-in of the first. */
export function browserCookie(request: HttpRequest, maxAgeSeconds: number): string {
  const secret = browserSecret(request) ?? randomSecret()
  return `${cookieName}=${secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}`
}

/** Stands where a ticket's secret would: the browser's cookie is what counts here. */
const checkSecret = 'check'
/** Where the browser waits while the mail servers are tried, and sees how it went. */
export const checkPath = (sessionId: string) => `/connect/${sessionId}.${checkSecret}`

export function isCheck(request: HttpRequest): boolean {
  return splitTicket(request.pathParameters?.ticket ?? '').secret === checkSecret
}
