/** What is special about a mail provider stands in its entry here, and nowhere else. */

import * as z from 'zod'
import { builtInProviders } from './built-in-providers.ts'
import { PostroomError } from './faults.ts'
import { parseInput } from './input.ts'

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

const endpoint = () =>
  z.string().refine(isSafeUrl, { message: 'must be an https URL (http only on loopback)' })

const mailServer = () =>
  z.strictObject({
    host: z.string().min(1),
    port: z.int().min(1).max(65535),
    /** `tls` from the first byte, or `starttls`, which must succeed. Never without. */
    security: z.enum(['tls', 'starttls']),
  })

/** Made where an entry is overridden, which most deployments never do: its many parts would cost every cold start. */
const providerSchema = () =>
  z.strictObject({
    displayName: z.string().min(1),
    /** `iss` of the id_token; `{tid}` stands for the token's own tenant. */
    issuer: endpoint(),
    /** Other spellings of `issuer` the provider is known to use. */
    issuerAliases: z.array(z.string()).optional(),
    authorizationEndpoint: endpoint(),
    tokenEndpoint: endpoint(),
    jwksUri: endpoint(),
    revocationEndpoint: endpoint().nullable(),
    /** Where an administrator accepts for a whole organization; null where there is no such thing. */
    adminConsentEndpoint: endpoint().nullable().optional(),
    scopes: z.array(z.string().min(1)).min(1),
    /** The end of the granted scope's name that opens each protocol. */
    mailScopes: z.strictObject({ imap: z.string().min(1), smtp: z.string().min(1) }),
    authorizationParameters: z.record(z.string(), z.string()),
    /** Claims that together name the account for ever, and are its key. Never `email`. */
    identity: z
      .array(z.string().min(1))
      .min(1)
      .refine(claims => !claims.includes('email'), {
        message: 'must not hold email: it is no proof of identity',
      }),
    /** Tenants (`tid`, or the domain of the login) that are no organization, since each account is a person's own. */
    personalTenants: z.array(z.string().min(1)).optional(),
    /** How long a grant lives while the OAuth app is not published, where the provider ends it then. */
    grantDaysInTesting: z.int().min(1).optional(),
    /** Claims that may hold the XOAUTH2 user name, best first. */
    loginClaims: z.array(z.string().min(1)).min(1),
    imap: mailServer(),
    smtp: mailServer(),
    /** Whether the provider puts what is sent by SMTP into Sent by itself. */
    savesSentCopies: z.boolean(),
    limits: z.strictObject({
      smtpConnections: z.int().min(1),
      messagesPerMinute: z.int().min(1),
      messageBytes: z.int().min(1024),
    }),
  })

export type ProviderEntry = z.infer<ReturnType<typeof providerSchema>>
export type MailServer = z.infer<ReturnType<typeof mailServer>>
export type Providers = Record<string, ProviderEntry>

export const providerId = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, {
  message: 'must be lower-case letters, digits and dashes',
})

/**
 * Format of POSTROOM_PROVIDERS: an entry that replaces a built-in one inherits what it leaves out. A new one
 * may `extends` another, so that a second OAuth app or a cloud of its own needs only what differs.
 */
export const providerOverridesSchema = z.record(
  providerId,
  z.lazy(() => providerSchema().partial().extend({ extends: providerId.optional() })),
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
    Object.assign(merged, parseInput(z.record(providerId, providerSchema()), whole, 'configuration_invalid'))
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
