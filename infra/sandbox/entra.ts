/**
 * Microsoft Entra's addresses: `/entra/{tenant}/…` with the tenant's GUID, `common`, `organizations` or `consumers`.
 *
 * An oidc-provider has one issuer, Entra has one per tenant also behind `common`. So there is an instance per tenant
 * and one for the shared names. A code made by any of them names its account; the account's tenant redeems it.
 */
import type { Interaction, Provider } from 'oidc-provider'
import { answerAdminConsent } from './admin-consent.ts'
import { addScopes, answerConsent, authorizeHeaders } from './consent.ts'
import { entraDescription, entraError } from './entra-errors.ts'
import { type EntraSettings, entraPaths, entraProvider, openidScopes, resourceOf } from './entra-provider.ts'
import { type Exchange, readBody, sendJson } from './http-exchange.ts'
import { passOn } from './pass-on.ts'
import { type Persona, tenants } from './personas.ts'
import { publicKey } from './signing-keys.ts'
import { answerByScript } from './token-faults.ts'

/** Names that stand for many tenants. */
const sharedNames = ['common', 'organizations', 'consumers']
const tenantIds: readonly string[] = Object.values(tenants)

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
  const { directory, keys } = settings
  const instances = new Map<string, { kid: string; provider: Provider }>()

  /** The instance for a tenant in a URL. A new signing key makes a new one, since oidc-provider cannot change keys. */
  function instanceOf(tenant: string): Provider | undefined {
    const name = sharedNames.includes(tenant) ? 'common' : tenant
    if (name !== 'common' && !tenantIds.includes(name)) return undefined
    const key = keys.current(name === tenants.consumers ? 'consumers' : 'microsoft')
    const made = instances.get(name)
    if (made?.kid === key.kid) return made.provider
    const provider = entraProvider(issuer.replace('{tid}', name), { ...settings, key })
    instances.set(name, { kid: key.kid, provider })
    return provider
  }

  function personasOf(tenant: string): Persona[] {
    return directory
      .personas()
      .filter(({ provider, tenantId }) => provider === 'microsoft' && covers(tenant, tenantId))
  }

  for (const tenant of ['common', ...tenantIds]) instanceOf(tenant)

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
    const persona = subject === undefined ? undefined : directory.personaBySubject(subject)
    const home = persona?.tenantId ?? null
    if (home !== null && !covers(tenant, home)) {
      return sendJson(
        exchange.response,
        entraError({ answer: null, detail: 'wrong tenant', nowMs: settings.now() }),
      )
    }
    const script = persona && directory.scriptOf(persona)
    if (answerByScript(exchange.response, { script, refreshing: code === null, nowMs: settings.now() }))
      return
    await passOn((home === null ? undefined : instanceOf(home)) ?? provider, {
      exchange,
      url: entraPaths.token,
      method: 'POST',
      headers: exchange.request.headers,
      body,
    })
  }

  /** Beside each key stands the issuer it signs for: the template for work accounts, the one tenant for personal ones. */
  function keySet(tenant: string): object[] {
    const concrete = (tenantId: string) => issuer.replace('{tid}', tenantId)
    const consumers = {
      ...publicKey(keys.current('consumers')),
      issuer: concrete(tenants.consumers),
    }
    if (tenant === 'consumers' || tenant === tenants.consumers) return [consumers]
    const work = publicKey(keys.current('microsoft'))
    if (!sharedNames.includes(tenant)) return [{ ...work, issuer: concrete(tenant) }]
    return [{ ...work, issuer: concrete('{tenantid}') }, consumers]
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
        choosing: settings,
        describe: ending => entraDescription(ending, settings.now()),
        grant: (interaction, persona) => grant(interaction, { persona, provider }),
      })
    } else if (route === `GET ${entraPaths.authorize}`) await authorize(exchange, provider)
    else if (route === `POST ${entraPaths.token}`) await redeem(exchange, { tenant, provider })
    else if (route === `GET ${entraPaths.keys}`) {
      sendJson(response, { status: 200, body: { keys: keySet(tenant) } })
    } else if (route === `GET ${entraPaths.discovery}`) {
      sendJson(response, { status: 200, body: discovery(origin, tenant) })
    } else if (path === entraPaths.adminConsent) await answerAdminConsent(exchange, { tenant, settings })
    else return false
    return true
  }

  return { issuer, answer }
}

/** Whether accounts of the tenant may use addresses under the name. */
function covers(name: string, tenantId: string | null): boolean {
  if (name === 'common') return true
  if (name === 'organizations') return tenantId !== tenants.consumers
  return tenantId === (name === 'consumers' ? tenants.consumers : name)
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

/** The metadata. Where a name stands for many tenants the issuer holds the literal `{tenantid}`, as at Microsoft. */
function discovery(origin: string, tenant: string): object {
  const manyTenants = tenant === 'common' || tenant === 'organizations'
  const tenantId = tenant === 'consumers' ? tenants.consumers : tenant
  const base = `${origin}/entra/${tenant}`
  return {
    issuer: `${origin}/entra/${manyTenants ? '{tenantid}' : tenantId}/v2.0`,
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
