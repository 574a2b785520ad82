/** What is special about a mail provider stands in its entry here, and nowhere else. */

import * as v from 'valibot'
import { builtInProviders } from './built-in-providers.ts'
import { PostroomError } from './faults.ts'
import { parseInput } from './input.ts'
import { integer } from './single-values.ts'

/** Plain http is for a sandbox on this machine; anything else must be https. */
function isSafeUrl(text: string): boolean {
  const host = text.replace(/\{(tid|tenant)\}/g, 'placeholder')
  if (!URL.canParse(host)) return false
  const url = new URL(host)
  return url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(hostname)
}

const endpoint = () => v.pipe(v.string(), v.check(isSafeUrl, 'must be an https URL (http only on loopback)'))

const mailServer = () =>
  v.strictObject({
    host: v.pipe(v.string(), v.minLength(1)),
    port: v.pipe(integer, v.minValue(1), v.maxValue(65535)),
    /** `tls` from the first byte, or `starttls`, which must succeed. Never without. */
    security: v.picklist(['tls', 'starttls']),
  })

/** Made where an entry is overridden, which most deployments never do: its many parts would cost every cold start. */
const providerSchema = () =>
  v.strictObject({
    displayName: v.pipe(v.string(), v.minLength(1)),
    /** `iss` of the id_token; `{tid}` stands for the token's own tenant. */
    issuer: endpoint(),
    /** Other spellings of `issuer` the provider is known to use. */
    issuerAliases: v.optional(v.array(v.string())),
    authorizationEndpoint: endpoint(),
    tokenEndpoint: endpoint(),
    jwksUri: endpoint(),
    revocationEndpoint: v.nullable(endpoint()),
    /** Where an administrator accepts for a whole organization; null where there is no such thing. */
    adminConsentEndpoint: v.optional(v.nullable(endpoint())),
    scopes: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
    /** The end of the granted scope's name that opens each protocol. */
    mailScopes: v.strictObject({
      imap: v.pipe(v.string(), v.minLength(1)),
      smtp: v.pipe(v.string(), v.minLength(1)),
    }),
    authorizationParameters: v.record(v.string(), v.string()),
    /** Claims that together name the account for ever, and are its key. Never `email`. */
    identity: v.pipe(
      v.array(v.pipe(v.string(), v.minLength(1))),
      v.minLength(1),
      v.check(claims => !claims.includes('email'), 'must not hold email: it is no proof of identity'),
    ),
    /** Tenants (`tid`, or the domain of the login) that are no organization, since each account is a person's own. */
    personalTenants: v.optional(v.array(v.pipe(v.string(), v.minLength(1)))),
    /** How long a grant lives while the OAuth app is not published, where the provider ends it then. */
    grantDaysInTesting: v.optional(v.pipe(integer, v.minValue(1))),
    /** Claims that may hold the XOAUTH2 user name, best first. */
    loginClaims: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
    imap: mailServer(),
    smtp: mailServer(),
    /** Whether the provider puts what is sent by SMTP into Sent by itself. */
    savesSentCopies: v.boolean(),
    limits: v.strictObject({
      smtpConnections: v.pipe(integer, v.minValue(1)),
      messagesPerMinute: v.pipe(integer, v.minValue(1)),
      messageBytes: v.pipe(integer, v.minValue(1024)),
    }),
  })

export type ProviderEntry = v.InferOutput<ReturnType<typeof providerSchema>>
export type MailServer = v.InferOutput<ReturnType<typeof mailServer>>
export type Providers = Record<string, ProviderEntry>

export const providerId = v.pipe(
  v.string(),
  v.regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be lower-case letters, digits and dashes'),
)

/**
 * Format of POSTROOM_PROVIDERS: an entry that replaces a built-in one inherits what it leaves out. A new one
 * may `extends` another, so that a second OAuth app or a cloud of its own needs only what differs.
 */
export const providerOverridesSchema = v.record(
  providerId,
  v.lazy(() => v.strictObject({ ...v.partial(providerSchema()).entries, extends: v.optional(providerId) })),
)

/**
 * The built-in entries with the owner's overrides laid over them.
 * @throws PostroomError `configuration_invalid` naming the entry's field, the rule and the value found
 */
export function mergeProviders(overrides: unknown): Providers {
  const given = parseInput(providerOverridesSchema, overrides, 'configuration_invalid')
  const merged: Providers = { ...builtInProviders }
  for (const [id, { extends: parent = id, ...entry }] of Object.entries(given)) {
    if (parent !== id && !Object.hasOwn(merged, parent)) {
      throw new PostroomError('configuration_invalid', {
        errors: [{ field: `${id}.extends`, rule: 'must name an entry before this one', found: parent }],
      })
    }
    const whole = { [id]: { ...merged[parent], ...entry } }
    Object.assign(merged, parseInput(v.record(providerId, providerSchema()), whole, 'configuration_invalid'))
  }
  return merged
}

/** @throws PostroomError `provider_unknown` */
export function providerOf(providers: Providers, id: string): ProviderEntry {
  const entry = Object.hasOwn(providers, id) ? providers[id] : undefined
  if (entry) return entry
  throw new PostroomError('provider_unknown', {
    errors: [
      {
        field: 'provider',
        rule: `must be one of ${Object.keys(providers).join(', ')}`,
        found: id.slice(0, 40),
      },
    ],
  })
}

/** Puts a tenant into an endpoint's template. Endpoints without `{tenant}` stay as they are. */
export function tenantUrl(template: string, tenant: string): string {
  return template.replace('{tenant}', encodeURIComponent(tenant))
}
