/**
 * Microsoft Entra's addresses: `/entra/{tenant}/…` with the tenant's GUID, `common` or `organizations`.
 *
 * An oidc-provider has one issuer, Entra has one per tenant also behind `common`. So there is an instance per tenant
 * and one for the shared names. A code made by any of them names its account; the account's tenant redeems it.
 */
import type { Interaction, Provider } from 'oidc-provider'
import { addScopes, answerConsent, authorizeHeaders } from './consent.ts'
import { entraError } from './entra-errors.ts'
import { type EntraSettings, entraPaths, entraProvider, openidScopes, resourceOf } from './entra-provider.ts'
import { type Exchange, readBody, sendJson } from './http-exchange.ts'
import { passOn } from './pass-on.ts'
import { type Persona, personaBySubject, personas, tenants } from './personas.ts'
import { publicKey } from './signing-keys.ts'

const microsoftPersonas = personas.filter(({ provider }) => provider === 'microsoft')
const sharedTenants = ['common', 'organizations']

/** Entra as one function of a request. */
export interface Entra {
  /** The issuer with `{tid}` for the tenant. */
  issuer: string
  /** Answers a request below `/entra/`; false if there is nothing at that path. */
  answer(exchange: Exchange): Promise<boolean>
}

/** Makes all tenants. `origin` is where the sandbox is reached, without a slash at the end. */
export function entra(origin: string, settings: EntraSettings): Entra {
  const issuer = `${origin}/entra/{tid}/v2.0`
  const instances = new Map<string, Provider>()
  for (const tenant of ['common', ...Object.values(tenants)]) {
    instances.set(tenant, entraProvider(issuer.replace('{tid}', tenant), settings))
  }

  /** The instance for a tenant in a URL: `organizations` differs from `common` by name only, all accounts are work accounts. */
  function instanceOf(tenant: string): Provider | undefined {
    return instances.get(sharedTenants.includes(tenant) ? 'common' : tenant)
  }

  function personasOf(tenant: string): Persona[] {
    return microsoftPersonas.filter(({ tenantId }) => sharedTenants.includes(tenant) || tenantId === tenant)
  }

  async function grant(
    interaction: Interaction,
    { persona, provider }: { persona: Persona; provider: Provider },
  ): Promise<string> {
    const scopes = (interaction.params.scope ?? '').split(' ')
    const made = new provider.Grant({ accountId: persona.subject, clientId: settings.client.clientId })
    addScopes(made, {
      openid: scopes.filter(scope => openidScopes.includes(scope)),
      resource: resourceOf(scopes),
    })
    return made.save()
  }

  async function redeem(
    exchange: Exchange,
    { tenant, provider }: { tenant: string; provider: Provider },
  ): Promise<void> {
    const body = await readBody(exchange.request, 100_000)
    const form = new URLSearchParams(body.toString('utf8'))
    const code = form.get('code')
    const subject =
      code === null
        ? settings.store.accountOf('microsoft', {
            model: 'RefreshToken',
            id: form.get('refresh_token') ?? '',
          })
        : settings.store.accountOf('microsoft', { model: 'AuthorizationCode', id: code })
    const home = subject === undefined ? null : (personaBySubject(subject)?.tenantId ?? null)
    if (home !== null && !sharedTenants.includes(tenant) && home !== tenant) {
      return sendJson(
        exchange.response,
        entraError({ answer: null, detail: 'wrong tenant', nowMs: settings.now() }),
      )
    }
    await passOn((home === null ? undefined : instances.get(home)) ?? provider, {
      exchange,
      url: entraPaths.token,
      method: 'POST',
      headers: exchange.request.headers,
      body,
    })
  }

  async function answer(exchange: Exchange): Promise<boolean> {
    const { request, response, url } = exchange
    const [, tenant = '', path = ''] = /^\/entra\/([^/]+)(\/.*)$/.exec(url.pathname) ?? []
    const provider = instanceOf(tenant)
    if (!provider) return false
    const consentId = /^\/oauth2\/v2\.0\/consent\/([\w-]+)$/.exec(path)?.[1]
    const route = `${request.method} ${path}`
    if (consentId !== undefined) {
      await answerConsent(exchange, {
        id: consentId,
        provider,
        displayName: 'Microsoft',
        personas: personasOf(tenant),
        authorizePath: entraPaths.authorize,
        grant: (interaction, persona) => grant(interaction, { persona, provider }),
      })
    } else if (route === `GET ${entraPaths.authorize}`) await authorize(exchange, provider)
    else if (route === `POST ${entraPaths.token}`) await redeem(exchange, { tenant, provider })
    else if (route === `GET ${entraPaths.keys}`) {
      const key = {
        ...publicKey(settings.key),
        issuer: issuer.replace('{tid}', sharedTenants.includes(tenant) ? '{tenantid}' : tenant),
      }
      sendJson(response, { status: 200, body: { keys: [key] } })
    } else if (route === `GET ${entraPaths.discovery}`) {
      sendJson(response, { status: 200, body: discovery(origin, tenant) })
    } else return false
    return true
  }

  return { issuer, answer }
}

/**
 * Lets oidc-provider check the request. `prompt` becomes `consent` whatever was asked, since the sandbox always shows
 * its page, and since oidc-provider (not Entra) drops `offline_access` without it; `none` stays and fails.
 */
async function authorize(exchange: Exchange, provider: Provider): Promise<void> {
  const query = new URLSearchParams(exchange.url.searchParams)
  if (query.get('prompt') !== 'none') query.set('prompt', 'consent')
  await passOn(provider, {
    exchange,
    url: `${entraPaths.authorize}?${query}`,
    method: 'GET',
    headers: authorizeHeaders(exchange),
    body: Buffer.alloc(0),
  })
}

/** The metadata. For the shared names the issuer holds the literal `{tenantid}`, as at Microsoft. */
function discovery(origin: string, tenant: string): object {
  const base = `${origin}/entra/${tenant}`
  return {
    issuer: `${origin}/entra/${sharedTenants.includes(tenant) ? '{tenantid}' : tenant}/v2.0`,
    authorization_endpoint: `${base}${entraPaths.authorize}`,
    token_endpoint: `${base}${entraPaths.token}`,
    jwks_uri: `${base}${entraPaths.keys}`,
    response_types_supported: ['code'],
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: ['client_secret_post'],
    scopes_supported: openidScopes,
  }
}
