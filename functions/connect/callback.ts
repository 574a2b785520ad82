/** The second half: the provider's answer is checked from every side, then becomes a channel or waits for the app's word. */

import type { AppBreaker } from '../channel/app-breaker.ts'
import { loginCandidates } from '../channel/candidates.ts'
import type { Candidate, ConnectSession } from '../channel/connect-sessions.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import type { HttpAnswer, HttpRequest } from '../channel/http.ts'
import { verifyIdToken } from '../channel/id-token.ts'
import { randomId } from '../channel/identifiers.ts'
import { channelIdOf, emailOf, identityOf, loginOf } from '../channel/login.ts'
import { requireMailScopes } from '../channel/mail-scopes.ts'
import { type ProviderEntry, providerOf } from '../channel/provider.ts'
import { redeemCode } from '../channel/token-endpoint.ts'
import { adminConsentAnswer } from './admin-consent.ts'
import { type BeginServices, redirectUri } from './begin.ts'
import { type CheckServices, failSession, finishCheck } from './check.ts'
import { checkingPage } from './connect-page.ts'
import { consentRefusal } from './consent-refusal.ts'
import { browserSecret, checkPath, matchesHash, splitTicket } from './ticket.ts'
import { takeVerifier } from './verifier.ts'

export type CallbackServices = BeginServices & CheckServices & { breaker: AppBreaker }

/**
 * Until the state is consumed, whatever is wrong changes nothing and is thrown. From then on the session
 * itself keeps the outcome, so that the app can read it, and the person gets a page.
 * @throws PostroomError `state_invalid`, `state_expired`, `state_used`, `browser_mismatch`
 */
export async function finishConsent(request: HttpRequest, services: CallbackServices): Promise<HttpAnswer> {
  const consent = adminConsentAnswer(request.queryStringParameters ?? {})
  if (consent) return consent
  const session = await consumeState(request, services)
  try {
    const candidate = await verifySignIn(session, request, services)
    const checking = await services.sessions.move(session.id, { states: ['checking'] }, { candidate })
    if (!checking) throw new PostroomError('state_used')
    // A person gets a page that shows progress while the mail servers are tried; a program just waits.
    if (isNavigation(request))
      return checkingPage({ email: candidate.email, checkUrl: checkPath(session.id) })
    return await finishCheck(checking, services)
  } catch (thrown) {
    return failSession(session, thrown, services)
  }
}

/** Fetch Metadata (W3C): browsers say so of every page load. */
function isNavigation(request: HttpRequest): boolean {
  return request.headers['sec-fetch-mode'] === 'navigate'
}

async function consumeState(request: HttpRequest, { sessions }: CallbackServices): Promise<ConnectSession> {
  const state = request.queryStringParameters?.state ?? ''
  const session = await sessions.find(splitTicket(state).sessionId)
  if (!session) throw new PostroomError('state_invalid')
  if (session.provider !== request.pathParameters?.provider) throw new PostroomError('state_invalid')
  if (!matchesHash(state, session.stateHash)) throw new PostroomError('state_invalid')
  const cookie = browserSecret(request)
  if (cookie === undefined || !matchesHash(cookie, session.cookieHash))
    throw new PostroomError('browser_mismatch')
  if (session.state === 'expired') throw new PostroomError('state_expired')
  // One write decides between two answers that arrive at once.
  const consumed = await sessions.move(
    session.id,
    { states: ['consenting'], equals: { stateHash: session.stateHash ?? '' } },
    { state: 'checking' },
  )
  if (!consumed) throw new PostroomError('state_used')
  return consumed
}

async function verifySignIn(
  session: ConnectSession,
  request: HttpRequest,
  services: CallbackServices,
): Promise<Candidate> {
  const { apps, breaker, providers, publicUrl, now } = services
  const query = request.queryStringParameters ?? {}
  const entry = providerOf(providers, session.provider)
  const app = await apps.get(session.provider)

  // RFC 9207: an answer that names its issuer must name the one we asked (mix-up defence).
  if (query.iss !== undefined && !isIssuer(entry, query.iss)) throw new PostroomError('issuer_mismatch')
  if (query.error !== undefined) throw consentRefusal(query.error, query.error_description)
  if (!query.code) throw new PostroomError('code_missing')
  const verifier = await takeVerifier(session, query.state ?? '', services)
  if (!verifier) throw new PostroomError('state_used')

  const { accountId, provider } = session
  const { clientId } = app
  const answer = await redeemCode(
    { entry, app, tenantId: null },
    {
      code: query.code,
      codeVerifier: verifier.codeVerifier,
      redirectUri: redirectUri(publicUrl, provider),
    },
  ).catch(async thrown => {
    await breaker.codeRefused({ accountId, provider, clientId }, asPostroomError(thrown))
    throw thrown
  })
  if (answer.idToken === null) throw new PostroomError('id_token_missing')
  const claims = await verifyIdToken(answer.idToken, { entry, app, nonce: verifier.nonce, now: now() })
  requireMailScopes(entry, answer.scope, 'scope_missing')

  const identity = identityOf(entry, claims)
  await breaker.codeTaken({ accountId, provider, clientId, identity })
  const channelId = channelIdOf(
    session.accountId,
    session.provider,
    identity,
    session.sharedMailbox ?? undefined,
  )
  const email = session.sharedMailbox ?? emailOf(entry, claims)
  const login = loginOf(entry, claims)
  if (session.channelId !== null && session.channelId !== channelId) {
    const expected = (await services.channels.find(session.channelId))?.email ?? session.channelId
    throw new PostroomError('identity_mismatch', {
      errors: [{ field: 'account', rule: `must be ${expected}`, found: email }],
    })
  }
  const { refreshToken } = answer
  if (refreshToken === null) throw new PostroomError('refresh_token_missing')

  const grantId = randomId('gr')
  await services.grants.create(
    { grantId, accountId: session.accountId, channelId },
    { ...answer, refreshToken },
  )
  return {
    channelId,
    grantId,
    identity,
    email,
    displayName: typeof claims.name === 'string' && claims.name.trim() !== '' ? claims.name.trim() : null,
    // A shared mailbox is opened under its own address, but sent from with the delegate's own login.
    login: { imap: session.sharedMailbox ?? login, smtp: login },
    clientId,
    candidates: loginCandidates(entry, claims, { known: {}, sharedMailbox: session.sharedMailbox }),
    access: null,
  }
}

function isIssuer(entry: ProviderEntry, iss: string): boolean {
  const [before, after] = entry.issuer.split('{tid}')
  if (after === undefined) return iss === entry.issuer || (entry.issuerAliases ?? []).includes(iss)
  return iss.startsWith(before ?? '') && iss.endsWith(after)
}
