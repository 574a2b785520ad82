/** Google's sign-in at `/google/…`: opaque access tokens, one grant per account, and a refresh token only where asked. */
import type { Interaction, Provider } from 'oidc-provider'
import { addScopes, answerConsent, authorizeHeaders, errorPage } from './consent.ts'
import {
  type GoogleSettings,
  googlePaths,
  googleProvider,
  knownScopes,
  offlineScope,
  userScopePrefix,
} from './google-provider.ts'
import { type Exchange, readBody, readForm, sendJson, sendPage } from './http-exchange.ts'
import type { OauthStore } from './oauth-store.ts'
import { passOn } from './pass-on.ts'
import type { Persona } from './personas.ts'
import { publicKey } from './signing-keys.ts'
import { answerByScript } from './token-faults.ts'

const otherScopePrefix = 'https://www.googleapis.com/auth/'

/** Google as one function of a request, and the instance that knows its tokens. */
export interface Google {
  issuer: string
  /** The present one: a new signing key makes a new instance, since oidc-provider cannot change keys. */
  provider(): Provider
  /** Answers a request below `/google/`; false if there is nothing at that path. */
  answer(exchange: Exchange): Promise<boolean>
}

/** Makes it. `origin` is where the sandbox is reached, without a slash at the end. */
export function google(origin: string, settings: GoogleSettings): Google {
  const issuer = `${origin}/google`
  const { store, directory, keys } = settings
  let instance: { kid: string; provider: Provider } | undefined

  function provider(): Provider {
    const key = keys.current('google')
    if (instance?.kid !== key.kid)
      instance = { kid: key.kid, provider: googleProvider(issuer, { ...settings, key }) }
    return instance.provider
  }

  /**
   * One grant per account and app, as at Google: what is granted adds up, and a revocation ends all of it. A refresh
   * token comes with `access_type=offline`, and after the first consent only with `prompt=consent`.
   *
   * @see https://developers.google.com/identity/protocols/oauth2/web-server
   */
  async function grant(interaction: Interaction, persona: Persona): Promise<string> {
    const { params } = interaction
    const knownId = store.grantOf('google', persona.subject)
    const known = knownId === undefined ? undefined : await provider().Grant.find(knownId)
    const consented =
      known ?? new (provider().Grant)({ accountId: persona.subject, clientId: settings.client.clientId })
    const asked = (params.asked_prompt ?? '').split(' ').includes('consent')
    if (params.access_type === 'offline' && (!known || asked))
      params.scope = `${params.scope} ${offlineScope}`
    addScopes(consented, { openid: (params.scope ?? '').split(' ') })
    return consented.save()
  }

  async function redeem(exchange: Exchange): Promise<void> {
    const body = await readBody(exchange.request, 100_000)
    const form = new URLSearchParams(body.toString('utf8'))
    const code = form.get('code')
    const row =
      code === null
        ? { model: 'RefreshToken', id: form.get('refresh_token') ?? '' }
        : { model: 'AuthorizationCode', id: code }
    const persona = directory.personaBySubject(store.accountOf('google', row) ?? '')
    const script = persona && directory.scriptOf(persona)
    if (answerByScript(exchange.response, { script, refreshing: code === null, nowMs: settings.now() }))
      return
    const { headers } = exchange.request
    await passOn(provider(), { exchange, url: googlePaths.token, method: 'POST', headers, body })
  }

  async function answer(exchange: Exchange): Promise<boolean> {
    const { request, response, url } = exchange
    const path = url.pathname.slice('/google'.length)
    const consentId = /^\/o\/oauth2\/v2\/consent\/([\w-]+)$/.exec(path)?.[1]
    const route = `${request.method} ${path}`
    if (consentId !== undefined) {
      await answerConsent(exchange, {
        id: consentId,
        provider: provider(),
        displayName: 'Google',
        personas: directory.personas().filter(persona => persona.provider === 'google'),
        authorizePath: googlePaths.authorize,
        choosing: settings,
        describe: () => undefined,
        grant,
      })
    } else if (route === `GET ${googlePaths.authorize}`) await authorize(exchange, provider())
    else if (route === `POST ${googlePaths.token}`) await redeem(exchange)
    else if (route === `POST ${googlePaths.revoke}`) await revoke(exchange, { store, provider: provider() })
    else if (route === `GET ${googlePaths.certs}`)
      sendJson(response, { status: 200, body: { keys: [publicKey(keys.current('google'))] } })
    else if (route === 'GET /.well-known/openid-configuration')
      sendJson(response, { status: 200, body: discovery(issuer) })
    else return false
    return true
  }

  return { issuer, provider, answer }
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
    url: `${googlePaths.authorize}?${query}`,
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

function discovery(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}${googlePaths.authorize}`,
    token_endpoint: `${issuer}${googlePaths.token}`,
    revocation_endpoint: `${issuer}${googlePaths.revoke}`,
    jwks_uri: `${issuer}${googlePaths.certs}`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_post'],
    scopes_supported: ['openid', 'email', 'profile'],
  }
}
