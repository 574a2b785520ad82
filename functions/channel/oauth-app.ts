/** An OAuth app, as an operator configures it and as it is used. */

import * as v from 'valibot'
import { providerId } from './provider.ts'
import { day, time } from './single-values.ts'

const proofs = ['clientSecret', 'signingKey', 'federated'] as const

/** How an OAuth app is configured. What proves to the provider that it is us is one of three (client-credential.ts). */
const oauthAppSchema = v.pipe(
  v.strictObject({
    clientId: v.pipe(v.string(), v.minLength(1)),
    /** Where people sign in: `common`, `organizations`, `consumers` or one tenant's id. */
    tenant: v.optional(v.pipe(v.string(), v.minLength(1)), 'common'),
    clientSecret: v.optional(v.pipe(v.string(), v.minLength(1))),
    /**
     * The secret before this one, while both are valid at the provider: shown where the app is refused with what it
     * proves itself by now, such as a new secret that was copied wrongly or has not reached all of the provider yet.
     */
    previousClientSecret: v.optional(v.pipe(v.string(), v.minLength(1))),
    /** A certificate whose RSA key lies in KMS and never leaves it. */
    signingKey: v.optional(
      v.strictObject({
        kmsKeyArn: v.pipe(v.string(), v.startsWith('arn:')),
        /** SHA-256 of the certificate's DER bytes, 64 hexadecimal digits, as `openssl x509 -fingerprint -sha256` prints it. */
        certificateSha256: v.pipe(
          v.string(),
          v.transform(text => text.replaceAll(':', '').toLowerCase()),
          v.check(text => /^[0-9a-f]{64}$/.test(text), 'must be 64 hexadecimal digits'),
        ),
      }),
    ),
    /** The function's own AWS role, which the provider trusts. */
    federated: v.optional(
      v.strictObject({
        audience: v.optional(v.pipe(v.string(), v.minLength(1)), 'api://AzureADTokenExchange'),
      }),
    ),
    /** When the secret or the certificate ends: the operator is told 30, 7 and 1 days before. */
    secretExpiresAt: v.optional(v.union([day, time])),
  }),
  v.check(
    app => proofs.filter(proof => app[proof] !== undefined).length === 1,
    `must have exactly one of ${proofs.join(', ')}`,
  ),
)

export type ConfiguredApp = v.InferOutput<typeof oauthAppSchema>

/** An OAuth app, and how it shows the provider that it is itself. */
export interface OAuthApp {
  clientId: string
  tenant: string
  authenticate: ClientAuthentication
  /** Tried once more in its place if the provider refuses the app by it. */
  authenticateAsBefore?: ClientAuthentication
}

/**
 * @param endpoint the URL that is called, as the provider knows it
 * @returns form fields of the call (RFC 6749 2.3.1, RFC 7521 4.2); they are as secret as what they prove
 */
export type ClientAuthentication = (endpoint: string) => Promise<Record<string, string>>

/** Format of POSTROOM_APPS and of the OAuthApps secret. */
export const oauthAppsSchema = v.record(providerId, oauthAppSchema)
