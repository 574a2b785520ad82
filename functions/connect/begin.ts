/** The first half: a page that says what will happen, and the way to the provider. */

import { createHash } from 'node:crypto'
import type { Channel } from '../channel/channels.ts'
import {
  type ConnectSession,
  type ConnectSessions,
  newSession,
  sessionLifeMs,
} from '../channel/connect-sessions.ts'
import { PostroomError } from '../channel/faults.ts'
import type { HttpAnswer, HttpRequest } from '../channel/http.ts'
import { hashSecret, randomSecret } from '../channel/identifiers.ts'
import type { OAuthApps } from '../channel/oauth-apps.ts'
import { type Providers, providerOf, tenantUrl } from '../channel/provider.ts'
import { isReconnectTicket, type ReconnectLinks } from '../channel/reconnect-link.ts'
import type { Seal } from '../channel/seal.ts'
import type { Table } from '../channel/table.ts'
import { connectPage } from './connect-page.ts'
import { redirect } from './page.ts'
import { browserCookie, browserSecret, matchesHash, splitTicket } from './ticket.ts'
import { keepVerifier } from './verifier.ts'

export interface BeginServices {
  sessions: ConnectSessions
  links: ReconnectLinks
  secrets: Table
  seal: Seal
  apps: OAuthApps
  providers: Providers
  /** Origin of this page; the redirect URI begins with it. */
  publicUrl: string
  /** What people know the app as that sends them here. */
  appName: string | null
  now(): number
}

/** Stands where a ticket's secret would: the browser's cookie is what counts here. */
const againSecret = 'again'
/** Where a person whose sign-in failed may begin once more, in the same browser, while the link still lives. */
export const againPath = (sessionId: string) => `/connect/${sessionId}.${againSecret}`

export function redirectUri(publicUrl: string, provider: string): string {
  return `${publicUrl}/oauth/${provider}/callback`
}

/**
 * Consumes nothing: mail scanners and chat previews open links too. Only the form's POST begins.
 * @throws PostroomError `ticket_invalid`, `ticket_expired`, `ticket_used`, `provider_unknown`
 */
export async function showConnectPage(request: HttpRequest, services: BeginServices): Promise<HttpAnswer> {
  const { sessionId, secret } = splitTicket(request.pathParameters?.ticket ?? '')
  const session = isReconnectTicket(sessionId)
    ? reconnectSession(await services.links.channelOf(sessionId, secret), services)
    : await openSession(request, services)
  const entry = providerOf(services.providers, session.provider)
  return connectPage({
    appName: services.appName,
    providerName: entry.displayName,
    mailbox: session.sharedMailbox ?? session.loginHint,
    isReconnect: session.channelId !== null,
    formTarget: new URL(tenantUrl(entry.authorizationEndpoint, 'common')).origin,
    cookie: browserCookie(request, sessionLifeMs / 1000),
  })
}

/** @throws PostroomError as above, and `browser_mismatch` without the page's cookie */
export async function startConsent(request: HttpRequest, services: BeginServices): Promise<HttpAnswer> {
  const { sessions, providers, apps, publicUrl } = services
  const session = await sessionToStart(request, services)
  const cookie = browserSecret(request)
  if (cookie === undefined) throw new PostroomError('browser_mismatch')
  const entry = providerOf(providers, session.provider)
  const app = await apps.get(session.provider)

  const state = `${session.id}.${randomSecret()}`
  const nonce = randomSecret()
  const codeVerifier = randomSecret()
  await keepVerifier(session, { state, nonce, codeVerifier }, services)
  const moved = await sessions.move(
    session.id,
    { states: ['open', 'consenting', 'failed'] },
    {
      state: 'consenting',
      cookieHash: hashSecret(cookie),
      stateHash: hashSecret(state),
      candidate: null,
      fault: null,
    },
  )
  if (!moved) throw new PostroomError('ticket_used')

  const url = new URL(tenantUrl(entry.authorizationEndpoint, app.tenant))
  const parameters = {
    ...entry.authorizationParameters,
    client_id: app.clientId,
    response_type: 'code',
    response_mode: 'query',
    redirect_uri: redirectUri(publicUrl, session.provider),
    scope: entry.scopes.join(' '),
    state,
    nonce,
    // RFC 7636 4.2. Without a method Entra assumes `plain`.
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
    ...(session.loginHint && { login_hint: session.loginHint }),
  }
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
  // Entra takes either a hint or the account chooser.
  if (session.loginHint && url.searchParams.get('prompt') === 'select_account')
    url.searchParams.delete('prompt')
  return redirect(url.toString())
}

/** A reconnect link begins an ordinary session, each time anew; any other ticket is that of a session. */
async function sessionToStart(request: HttpRequest, services: BeginServices): Promise<ConnectSession> {
  const { sessionId, secret } = splitTicket(request.pathParameters?.ticket ?? '')
  if (!isReconnectTicket(sessionId)) return openSession(request, services)
  const channel = await services.links.channelOf(sessionId, secret)
  // Before anything is stored: whoever has not seen the page makes no sessions.
  if (browserSecret(request) === undefined) throw new PostroomError('browser_mismatch')
  const session = reconnectSession(channel, services)
  await services.sessions.create(session)
  return session
}

/** Confirms itself: only the channel's own mailbox can come out of it, for the account that has it already. */
function reconnectSession(channel: Channel, { now }: BeginServices): ConnectSession {
  const { accountId, provider, id: channelId, sharedMailbox, login } = channel
  const wanted = { accountId, provider, channelId, sharedMailbox, loginHint: login.smtp, autoConfirm: true }
  return newSession(wanted, now()).session
}

async function openSession(request: HttpRequest, { sessions, now }: BeginServices): Promise<ConnectSession> {
  const { sessionId, secret } = splitTicket(request.pathParameters?.ticket ?? '')
  const session = await sessions.find(sessionId)
  const isAgain = secret === againSecret
  if (!session || !(isAgain || matchesHash(secret, session.ticketHash)))
    throw new PostroomError('ticket_invalid')
  if (session.state === 'expired') throw new PostroomError('ticket_expired')
  if (session.state === 'open' && !isAgain) return session
  // Whoever pressed "back" at the provider may begin again, in the same browser only.
  const cookie = browserSecret(request)
  const isSameBrowser = cookie !== undefined && matchesHash(cookie, session.cookieHash)
  if (session.state === 'consenting' && isSameBrowser) return session
  if (session.state === 'failed' && isSameBrowser && isAgain) {
    if (session.expiresAtMs <= now()) throw new PostroomError('ticket_expired')
    return session
  }
  throw new PostroomError('ticket_used')
}
