/** Google's sign-in as an oidc-provider instance: what its tokens hold, and where Google differs from the default. */
import { type Context, Provider } from 'oidc-provider'
import { gmailScope } from './access-tokens.ts'
import { consentUrl, showError } from './consent.ts'
import type { Directory } from './directory.ts'
import type { OauthStore } from './oauth-store.ts'
import { forgetNonceOnRefresh, plainRedirect, reportFailures } from './oidc-adjustments.ts'
import type { KeyRing, SigningKey } from './signing-keys.ts'
import { changeAnswer } from './token-faults.ts'

/** The endpoints' paths below the issuer. */
export const googlePaths = {
  authorize: '/o/oauth2/v2/auth',
  token: '/token',
  revoke: '/revoke',
  certs: '/certs',
} as const

/** How Google spells `email` and `profile` in its answers. */
export const userScopePrefix = 'https://www.googleapis.com/auth/userinfo.'

/** The scopes that can be granted, in the short spelling. */
export const knownScopes = ['openid', 'email', 'profile', gmailScope]

/** Google knows no such scope: the sandbox adds it to a request that earns a refresh token. */
export const offlineScope = 'offline_access'

const daySeconds = 24 * 60 * 60

/** What Google is made of. */
export interface GoogleSettings {
  store: OauthStore
  directory: Directory
  keys: KeyRing
  client: { clientId: string; clientSecret: string; redirectUri: string }
  accessTokenSeconds: number
  now(): number
}

/** Makes the instance for one signing key. All instances share the store. */
export function googleProvider(issuer: string, settings: GoogleSettings & { key: SigningKey }): Provider {
  const { store, directory, key, client, accessTokenSeconds } = settings
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
    routes: { authorization: googlePaths.authorize, token: googlePaths.token, jwks: googlePaths.certs },
    scopes: [...knownScopes, offlineScope],
    claims: { openid: ['sub'], email: ['email', 'email_verified', 'hd'], profile: ['name'] },
    conformIdTokenClaims: false,
    extraParams: ['access_type', 'include_granted_scopes', 'asked_prompt'],
    findAccount: (_context: Context, subject: string) => accountOf(subject, directory),
    pkce: { required: () => true },
    issueRefreshToken: (_context: Context, _client: object, source: { scopes: Set<string> }) =>
      source.scopes.has(offlineScope),
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
  shapeAnswers(provider, settings)
  return provider
}

function accountOf(subject: string, directory: Directory): object | undefined {
  const persona = directory.personaBySubject(subject)
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
 * Google's spelling of scopes, no refresh token in the answer to a refresh, Google's words for a dead grant, and what
 * the person's script changes.
 */
function shapeAnswers(provider: Provider, { directory, keys, client }: GoogleSettings): void {
  provider.use(async (context, next) => {
    await next()
    plainRedirect(context)
    if (context.path !== googlePaths.token || typeof context.body !== 'object' || context.body === null)
      return
    const answer: Record<string, unknown> = { ...context.body }
    if (context.status >= 400) {
      if (answer.error === 'invalid_grant') answer.error_description = 'Token has been expired or revoked.'
      if (answer.error === 'invalid_client') answer.error_description = 'Unauthorized'
    } else {
      answer.scope = String(answer.scope)
        .split(' ')
        .filter(scope => scope !== offlineScope)
        .map(scope => (scope === 'email' || scope === 'profile' ? userScopePrefix + scope : scope))
        .join(' ')
      if (context.oidc.params && 'refresh_token' in context.oidc.params) delete answer.refresh_token
    }
    context.body = answer
    await changeAnswer(context, { directory, keys, clientSecret: client.clientSecret })
  })
}
