/**
 * Signs an operator in at the issuer that the deployment names: authorization code with PKCE, as a public client
 * (RFC 9700, 2.1.1). The token is kept for this tab alone; nothing else is: when it ends, the issuer is asked again.
 */

import * as oauth from 'oauth4webapi'
import { byId } from './elements.js'

/** @typedef {import('../../functions/console/page.ts').SignIn} Settings */

const tokenKey = 'postroom.token'
/** What a sign-in that has begun needs when the browser comes back. */
const begunKey = 'postroom.sign-in'

/**
 * @param {Settings} settings
 * @returns {Promise<{ token(): string, accountId: string | null, person: string, leave(): void, renew(): void }>} once
 *   somebody is signed in; `accountId` is the only account of the token, null where it is an operator's; `leave` forgets
 *   everything, `renew` asks the issuer for another token and comes back to where the person is
 */
export async function signedIn(settings) {
  const trouble = await finish(settings).catch(sentenceOf)
  const token = sessionStorage.getItem(tokenKey)
  if (!token) return ask(settings, trouble ?? '')
  const claims = claimsOf(token)
  return {
    token: () => token,
    accountId: accountOf(claims, settings),
    person: String(claims.sub ?? ''),
    leave() {
      sessionStorage.clear()
      location.reload()
    },
    renew() {
      sessionStorage.removeItem(tokenKey)
      start(settings)
    },
  }
}

/** Shows the button. The page goes away with it, so that this never ends. @param {Settings} settings @param {string} trouble @returns {Promise<never>} */
function ask(settings, trouble) {
  byId('layout').hidden = true
  byId('pages').hidden = true
  byId('sign-in').hidden = false
  byId('sign-in-error').textContent = trouble
  byId('sign-in-start').addEventListener('click', () => start(settings))
  return new Promise(() => {})
}

/** @param {Settings} settings */
async function start({ authorizationEndpoint, clientId, scope, parameters }) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  // Where the person was: a link to a message shall lead there.
  sessionStorage.setItem(begunKey, JSON.stringify({ verifier, state, hash: location.hash }))
  const url = new URL(authorizationEndpoint)
  const asked = {
    ...parameters,
    client_id: clientId,
    redirect_uri: redirectUri(),
    response_type: 'code',
    scope,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)
  location.assign(url)
}

/** The second half, where the browser has come back from the issuer. @param {Settings} settings */
async function finish({ issuer, clientId, authorizationEndpoint, tokenEndpoint, parameters }) {
  const begun = JSON.parse(sessionStorage.getItem(begunKey) ?? 'null')
  const answer = new URL(location.href)
  if (!begun || !answer.searchParams.has('state')) return
  sessionStorage.removeItem(begunKey)
  // A code works once, and is nobody's business: neither it nor an error stays in the history.
  history.replaceState(null, '', `${location.pathname}${begun.hash}`)
  const server = {
    issuer,
    authorization_endpoint: authorizationEndpoint,
    token_endpoint: tokenEndpoint,
  }
  const client = { client_id: clientId }
  const code = oauth.validateAuthResponse(server, client, answer, begun.state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    code,
    redirectUri(),
    begun.verifier,
    { additionalParameters: parameters },
  )
  const { access_token: token } = await oauth.processAuthorizationCodeResponse(server, client, response)
  sessionStorage.setItem(tokenKey, token)
}

/** The page's own address: the one redirect URI that the client is registered with. */
function redirectUri() {
  return `${location.origin}/`
}

/** @param {any} error */
function sentenceOf(error) {
  console.error(error)
  const code = error.error ?? error.code ?? error.name
  return `The sign-in did not succeed (${code}). ${error.error_description ?? ''}`.trim()
}

/**
 * What the token says, for showing only: whether it holds, the API decides.
 * @param {string} token @returns {Record<string, any>}
 */
function claimsOf(token) {
  try {
    const payload = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')
    return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(payload), byte => byte.charCodeAt(0))))
  } catch {
    return {}
  }
}

/** @param {Record<string, any>} claims @param {Settings} settings */
function accountOf(claims, { accountClaim, operatorScope }) {
  const scopes = [claims.scope, claims.scp].flatMap(claim => String(claim ?? '').split(' '))
  if (operatorScope && scopes.includes(operatorScope)) return null
  return claims[accountClaim] ?? null
}
