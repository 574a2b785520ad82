/** A person with a browser at the connect function: opens the link, goes through the sandbox's consent, comes back. */

import type { ConnectSession } from '../../functions/channel/connect-sessions.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { hashSecret, randomId, randomSecret } from '../../functions/channel/identifiers.ts'
import { connect } from '../../functions/connect/connect.ts'
import { httpRequest } from './http-requests.ts'
import type { Workbench } from './workbench.ts'

export interface SessionLink {
  id: string
  ticket: string
}

/** A connect session as the API would have made it. */
export async function newSession(
  { sessions, now }: Workbench,
  changes: Partial<ConnectSession> = {},
): Promise<SessionLink> {
  const id = randomId('cs')
  const secret = randomSecret()
  await sessions.create({
    id,
    accountId: 'acme',
    provider: 'microsoft',
    returnUrl: null,
    loginHint: null,
    channelId: null,
    sharedMailbox: null,
    fetchSince: null,
    folders: null,
    autoConfirm: false,
    proveSendAs: false,
    state: 'open',
    createdAt: new Date(now()).toISOString(),
    expiresAtMs: now() + 10 * 60_000,
    ticketHash: hashSecret(secret),
    cookieHash: null,
    stateHash: null,
    candidate: null,
    fault: null,
    ...changes,
  })
  return { id, ticket: `${id}.${secret}` }
}

export interface Browser {
  /** The value of our cookie, once a page has set it. */
  cookie: string
  /** Of the last sign-in that was begun. */
  nonce: string
  show(session: SessionLink): Promise<HttpAnswer>
  /** Looks at the page and presses its button. */
  start(session: SessionLink): Promise<HttpAnswer>
  /** Goes to the provider and decides. @returns the URL the provider sends the browser back to */
  consent(session: SessionLink, persona: string, decision?: 'accept' | 'decline'): Promise<URL>
  /** Follows the provider's redirect, or another URL. */
  finish(callback: URL): Promise<HttpAnswer>
}

export function openBrowser(bench: Workbench): Browser {
  const headers = { accept: 'text/html' }

  function request(call: string, routeKey: string, parts: { path: Record<string, string>; url?: URL }) {
    const cookies = browser.cookie ? [`__Host-postroom=${browser.cookie}`] : []
    const query = parts.url ? Object.fromEntries(parts.url.searchParams) : undefined
    return connect(
      httpRequest(call, { routeKey, headers, cookies, query, pathParameters: parts.path }),
      bench,
    )
  }

  const browser: Browser = {
    cookie: '',
    nonce: '',

    async show({ ticket }) {
      const answer = await request(`GET /connect/${ticket}`, 'GET /connect/{ticket}', { path: { ticket } })
      browser.cookie = /^__Host-postroom=([^;]+)/.exec(answer.cookies?.[0] ?? '')?.[1] ?? browser.cookie
      return answer
    },

    async start(session) {
      const { ticket } = session
      const page = await browser.show(session)
      if (page.statusCode !== 200) return page
      return request(`POST /connect/${ticket}`, 'POST /connect/{ticket}', { path: { ticket } })
    },

    async consent(session, persona, decision = 'accept') {
      const answer = await browser.start(session)
      const location = String(answer.headers?.location)
      browser.nonce = new URL(location).searchParams.get('nonce') ?? ''
      const authorize = await fetch(location, { redirect: 'manual' })
      const page = authorize.headers.get('location') ?? ''
      const decided = await fetch(page, {
        method: 'POST',
        body: new URLSearchParams({ persona, decision }),
        redirect: 'manual',
      })
      return new URL(decided.headers.get('location') ?? '')
    },

    finish(callback) {
      const [, , provider = ''] = callback.pathname.split('/')
      const path = { provider }
      return request(`GET ${callback.pathname}`, 'GET /oauth/{provider}/callback', { path, url: callback })
    },
  }
  return browser
}
