/** One Entra tenant as an oidc-provider instance: what its tokens hold, and where Entra differs from the default. */
import { type Context, Provider } from 'oidc-provider'
import { exchangeResource } from './access-tokens.ts'
import { consentUrl, showError } from './consent.ts'
import type { Directory } from './directory.ts'
import { entraError } from './entra-errors.ts'
import type { OauthStore } from './oauth-store.ts'
import { forgetNonceOnRefresh, plainRedirect, reportFailures } from './oidc-adjustments.ts'
import type { KeyRing, SigningKey } from './signing-keys.ts'
import { changeAnswer } from './token-faults.ts'

/** Where a scope without a resource belongs: Microsoft's default, useless for mail servers. */
const graphResource = 'https://graph.microsoft.com'

/** The endpoints' paths inside one tenant. */
export const entraPaths = {
  authorize: '/oauth2/v2.0/authorize',
  token: '/oauth2/v2.0/token',
  keys: '/discovery/v2.0/keys',
  discovery: '/v2.0/.well-known/openid-configuration',
  adminConsent: '/v2.0/adminconsent',
} as const

/** The scopes that are not a resource's permission. */
export const openidScopes = ['openid', 'profile', 'email', 'offline_access']

const mailScopes = ['IMAP.AccessAsUser.All', 'SMTP.Send', 'POP.AccessAsUser.All']
const graphScopes = [...mailScopes, 'User.Read', 'Mail.Read', 'Mail.ReadWrite', 'Mail.Send']
const daySeconds = 24 * 60 * 60

/** The settings that all tenants share. */
export interface EntraSettings {
  store: OauthStore
  directory: Directory
  keys: KeyRing
  client: { clientId: string; clientSecret: string; redirectUri: string }
  accessTokenSeconds: number
  now(): number
}

/**
 * The resource that a list of scopes is about, and the scopes it knows of them.
 *
 * @see https://learn.microsoft.com/en-us/entra/identity-platform/scopes-oidc (a bare scope belongs to Graph)
 */
export function resourceOf(scopes: string[]): { id: string; scopes: string[] } {
  const id = scopes.some(scope => scope.startsWith(`${exchangeResource}/`)) ? exchangeResource : graphResource
  const known = new Set(scopesOfResource(id))
  return { id, scopes: scopes.filter(scope => known.has(scope)) }
}

/** Makes the instance for one issuer. All instances share the store, so a code of one can be redeemed at another. */
export function entraProvider(issuer: string, settings: EntraSettings & { key: SigningKey }): Provider {
  const { store, directory, key, client, accessTokenSeconds } = settings
  const provider = new Provider(issuer, {
    adapter: store.adapter('microsoft'),
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
    routes: { authorization: entraPaths.authorize, token: entraPaths.token, jwks: entraPaths.keys },
    scopes: openidScopes,
    // `oid` and `preferred_username` come with `profile` only; `upn` is an optional claim, `email` needs an address.
    claims: {
      openid: ['sub', 'tid', 'ver'],
      profile: ['oid', 'preferred_username', 'name', 'upn'],
      email: ['email'],
    },
    // Entra puts the claims into the id_token, also where an access token is issued along with it.
    conformIdTokenClaims: false,
    findAccount: (_context: Context, subject: string) => accountOf(subject, directory),
    pkce: { required: () => true },
    issueRefreshToken: (_context: Context, _client: object, source: { scopes: Set<string> }) =>
      source.scopes.has('offline_access'),
    rotateRefreshToken: true,
    expiresWithSession: () => false,
    ttl: {
      AccessToken: accessTokenSeconds,
      AuthorizationCode: 600,
      IdToken: 3600,
      RefreshToken: 90 * daySeconds,
      Grant: 3650 * daySeconds,
      Interaction: 600,
      Session: 600,
    },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: ({ oidc }: Context) => resourceOf((oidc.params?.scope ?? '').split(' ')).id,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: Context, resource: string) => ({
          audience: resource,
          scope: scopesOfResource(resource).join(' '),
          accessTokenFormat: 'jwt',
          accessTokenTTL: accessTokenSeconds,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    formats: { customizers: { jwt: accessTokenShaper(directory) } },
    interactions: { url: consentUrl },
    renderError: showError,
  })
  reportFailures(provider)
  forgetNonceOnRefresh(provider)
  // Each refresh gives a new refresh token and leaves the old one valid:
  // https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens
  const { consume } = provider.RefreshToken.prototype
  provider.RefreshToken.prototype.consume = async function () {
    const persona = directory.personaBySubject(this.accountId)
    if (persona && directory.scriptOf(persona)?.refreshTokensWorkOnce) await consume.call(this)
  }
  shapeAnswers(provider, settings)
  return provider
}

function scopesOfResource(resource: string): string[] {
  if (resource === exchangeResource) return mailScopes.map(scope => `${exchangeResource}/${scope}`)
  return graphScopes.flatMap(scope => [scope, `${graphResource}/${scope}`])
}

function accountOf(subject: string, directory: Directory): object | undefined {
  const persona = directory.personaBySubject(subject)
  if (!persona) return undefined
  const claims = {
    sub: subject,
    tid: persona.tenantId,
    oid: persona.objectId,
    ver: '2.0',
    name: persona.name,
    preferred_username: persona.signInName,
    ...(persona.upnClaim ? { upn: persona.signInName } : {}),
    ...(persona.email === null ? {} : { email: persona.email }),
  }
  return { accountId: subject, claims: () => claims }
}

/** The claims a mail server looks at. The header type is JWT, as at Microsoft, and not RFC 9068's `at+jwt`. */
function accessTokenShaper(directory: Directory) {
  return (
    _context: Context,
    token: { accountId: string },
    jwt: { header: object; payload: Record<string, unknown> },
  ): void => {
    const persona = directory.personaBySubject(token.accountId)
    const { scope, client_id, ...claims } = jwt.payload
    const scp = String(scope ?? '')
      .split(' ')
      .map(name => name.slice(name.lastIndexOf('/') + 1))
      .join(' ')
    jwt.header = { typ: 'JWT' }
    jwt.payload = {
      ...claims,
      nbf: claims.iat,
      appid: client_id,
      scp,
      tid: persona?.tenantId,
      oid: persona?.objectId,
      upn: persona?.signInName,
      unique_name: persona?.signInName,
      ver: '1.0',
    }
  }
}

/** Entra's error JSON, the plain redirect, and what the person's script changes. */
function shapeAnswers(provider: Provider, { directory, keys, client, now }: EntraSettings): void {
  const details = new WeakMap<Context, string>()
  provider.on('grant.error', (context, error) => details.set(context, error.error_detail ?? ''))
  provider.use(async (context, next) => {
    await next()
    plainRedirect(context)
    if (context.path !== entraPaths.token) return
    await changeAnswer(context, { directory, keys, clientSecret: client.clientSecret })
    if (context.status >= 400) {
      const { status, body } = entraError({
        answer: context.body,
        detail: details.get(context) ?? '',
        nowMs: now(),
      })
      context.status = status
      context.body = body
    }
  })
}
