/** Google's sign-in at `/google/…`: opaque access tokens, one grant per account, and a refresh token only where asked. */
import { type Context, type Interaction, Provider } from 'oidc-provider'
import { gmailScope } from './access-tokens.ts'
import { addScopes, answerConsent, authorizeHeaders, consentUrl, errorPage, showError } from './consent.ts'
import { type Exchange, readBody, readForm, sendJson, sendPage } from './http-exchange.ts'
import type { OauthStore } from './oauth-store.ts'
import { forgetNonceOnRefresh, plainRedirect, reportFailures } from './oidc-adjustments.ts'
import { passOn } from './pass-on.ts'
import { type Persona, personaBySubject, personas } from './personas.ts'
import { publicKey, type SigningKey } from './signing-keys.ts'

const paths = { authorize: '/o/oauth2/v2/auth', token: '/token', revoke: '/revoke', certs: '/certs' } as const
const googlePersonas = personas.filter(({ provider }) => provider === 'google')
const userScopePrefix = 'https://www.googleapis.com/auth/userinfo.'
const otherScopePrefix = 'https://www.googleapis.com/auth/'
const knownScopes = ['openid', 'email', 'profile', gmailScope]
const daySeconds = 24 * 60 * 60
// Google knows no such scope: the sandbox adds it to a request that earns a refresh token (see `grant`).
const offline = 'offline_access'

/** Google as one function of a request, and the instance that knows its tokens. */
export interface Google {
  issuer: string
  provider: Provider
  /** Answers a request below `/google/`; false if there is nothing at that path. */
  answer(exchange: Exchange): Promise<boolean>
}

/** What Google is made of. */
export interface GoogleSettings {
  store: OauthStore
  key: SigningKey
  client: { clientId: string; clientSecret: string; redirectUri: string }
  accessTokenSeconds: number
}

/** Makes it. `origin` is where the sandbox is reached, without a slash at the end. */
export function google(origin: string, settings: GoogleSettings): Google {
  const issuer = `${origin}/google`
  const { store } = settings
  const provider = googleProvider(issuer, settings)

  /**
   * One grant per account and app, as at Google: what is granted adds up, and a revocation ends all of it. A refresh
   * token comes with `access_type=offline`, and after the first consent only with `prompt=consent`.
   *
   * @see https://developers.google.com/identity/protocols/oauth2/web-server
   */
  async function grant(interaction: Interaction, persona: Persona): Promise<string> {
    const { params } = interaction
    const knownId = store.grantOf('google', persona.subject)
    const known = knownId === undefined ? undefined : await provider.Grant.find(knownId)
    const consented =
      known ?? new provider.Grant({ accountId: persona.subject, clientId: settings.client.clientId })
    const asked = (params.asked_prompt ?? '').split(' ').includes('consent')
    if (params.access_type === 'offline' && (!known || asked)) params.scope = `${params.scope} ${offline}`
    addScopes(consented, { openid: (params.scope ?? '').split(' ') })
    return consented.save()
  }

  async function answer(exchange: Exchange): Promise<boolean> {
    const { request, response, url } = exchange
    const path = url.pathname.slice('/google'.length)
    const consentId = /^\/o\/oauth2\/v2\/consent\/([\w-]+)$/.exec(path)?.[1]
    const route = `${request.method} ${path}`
    if (consentId !== undefined) {
      await answerConsent(exchange, {
        id: consentId,
        provider,
        displayName: 'Google',
        personas: googlePersonas,
        authorizePath: paths.authorize,
        grant,
      })
    } else if (route === `GET ${paths.authorize}`) await authorize(exchange, provider)
    else if (route === `POST ${paths.token}`) {
      const body = await readBody(request, 100_000)
      await passOn(provider, { exchange, url: paths.token, method: 'POST', headers: request.headers, body })
    } else if (route === `POST ${paths.revoke}`) await revoke(exchange, { store, provider })
    else if (route === `GET ${paths.certs}`)
      sendJson(response, { status: 200, body: { keys: [publicKey(settings.key)] } })
    else if (route === 'GET /.well-known/openid-configuration')
      sendJson(response, { status: 200, body: discovery(issuer) })
    else return false
    return true
  }

  return { issuer, provider, answer }
}

function googleProvider(
  issuer: string,
  { store, key, client, accessTokenSeconds }: GoogleSettings,
): Provider {
  const provider = new Provider(issuer, {
    adapter: store.adapter('google'),
    jwks: { keys: [key] },
    clients: [
      {
        client_id: client.clientId,
        client_secret: client.clientSecret,
        redirect_uris: [client.redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    routes: { authorization: paths.authorize, token: paths.token, jwks: paths.certs },
    scopes: [...knownScopes, offline],
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'hd'], profile: ['name'] },
    conformIdTokenClaims: false,
    extraParams: ['access_type', 'include_granted_scopes', 'asked_prompt'],
    findAccount: (_context: Context, subject: string) => accountOf(subject),
    pkce: { required: () => true },
    issueRefreshToken: (_context: Context, _client: object, source: { scopes: Set<string> }) =>
      source.scopes.has(offline),
    rotateRefreshToken: false,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 600,
      IdToken: 3600,
      RefreshToken: 3650 * daySeconds,
      Grant: 3650 * daySeconds,
      Interaction: 600,
      Session: 600,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: { enabled: false },
    },
    interactions: { url: consentUrl },
    renderError: showError,
  })
  reportFailures(provider)
  forgetNonceOnRefresh(provider)
  shapeAnswers(provider)
  return provider
}

function accountOf(subject: string): object | undefined {
  const persona = personaBySubject(subject)
  if (!persona) return undefined
  const { name, email, hostedDomain } = persona
  const claims = {
    sub: subject,
    name,
    email,
    email_verified: true,
    ...(hostedDomain === null ? {} : { hd: hostedDomain }),
  }
  return { accountId: subject, claims: () => claims }
}

/**
 * See the function of the same name for Entra: the prompt asked for is kept aside, for the refresh token's rule.
 * A scope that Google does not know, such as `offline_access`, ends in a page.
 */
async function authorize(exchange: Exchange, provider: Provider): Promise<void> {
  const query = new URLSearchParams(exchange.url.searchParams)
  const prompt = query.get('prompt') ?? ''
  query.set('asked_prompt', prompt)
  if (prompt !== 'none') query.set('prompt', 'consent')
  const scopes = (query.get('scope') ?? '').replaceAll(userScopePrefix, '').split(' ')
  const unknown = scopes.find(scope => !knownScopes.includes(scope) && !scope.startsWith(otherScopePrefix))
  if (unknown !== undefined) {
    const detail = `invalid_scope: some requested scopes were invalid: ${unknown}`
    return sendPage(exchange.response, {
      status: 400,
      page: errorPage({ title: 'Sign-in cannot start', detail }),
    })
  }
  query.set('scope', scopes.join(' '))
  await passOn(provider, {
    exchange,
    url: `${paths.authorize}?${query}`,
    method: 'GET',
    headers: authorizeHeaders(exchange),
    body: Buffer.alloc(0),
  })
}

/**
 * Ends the whole grant of the account to the app, whichever of its tokens is named, in the form or in the query.
 *
 * @see https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
 */
async function revoke(
  exchange: Exchange,
  { store, provider }: { store: OauthStore; provider: Provider },
): Promise<void> {
  const form = await readForm(exchange.request)
  const token = form.get('token') ?? exchange.url.searchParams.get('token') ?? ''
  const issued = (await provider.RefreshToken.find(token)) ?? (await provider.AccessToken.find(token))
  if (!issued) {
    const body = { error: 'invalid_token', error_description: 'Token expired or revoked' }
    return sendJson(exchange.response, { status: 400, body })
  }
  store.revokeGrant('google', issued.grantId)
  sendJson(exchange.response, { status: 200, body: {} })
}

/** Google's spelling of scopes, no refresh token in the answer to a refresh, Google's words for a dead grant. */
function shapeAnswers(provider: Provider): void {
  provider.use(async (context, next) => {
    await next()
    plainRedirect(context)
    if (context.path !== paths.token || typeof context.body !== 'object' || context.body === null) return
    const answer: Record<string, unknown> = { ...context.body }
    if (context.status >= 400) {
      if (answer.error === 'invalid_grant') answer.error_description = 'Token has been expired or revoked.'
      if (answer.error === 'invalid_client') answer.error_description = 'Unauthorized'
    } else {
      answer.scope = String(answer.scope)
        .split(' ')
        .filter(scope => scope !== offline)
        .map(scope => (scope === 'email' || scope === 'profile' ? userScopePrefix + scope : scope))
        .join(' ')
      if (context.oidc.params && 'refresh_token' in context.oidc.params) delete answer.refresh_token
    }
    context.body = answer
  })
}

function discovery(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}${paths.authorize}`,
    token_endpoint: `${issuer}${paths.token}`,
    revocation_endpoint: `${issuer}${paths.revoke}`,
    jwks_uri: `${issuer}${paths.certs}`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_post'],
    scopes_supported: ['openid', 'email', 'profile'],
  }
}
