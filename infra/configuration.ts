/** What an owner may set at deploy time: the `postroom` object in cdk.json's context, or `-c postroom='{…}'`. */

import { z } from 'zod'
import { providerOverridesSchema } from '../functions/channel/provider.ts'
import { pollIntervals } from '../functions/channel/slots.ts'

const configurationSchema = z.strictObject({
  /** Origin people see, if a domain of your own stands before the HTTP API. Without a slash at the end. */
  publicUrl: z.url({ protocol: /^https$/ }).optional(),
  /** What people know your app as: the connect page names it. */
  appName: z.string().min(1).max(80).optional(),
  /** Exact URLs to which a browser may return after connecting; a connect session names one of them. */
  returnUrls: z.array(z.url()).default([]),
  /** How often a mailbox is polled, in minutes. */
  pollIntervalMinutes: z.literal([...pollIntervals]).default(5),
  /** Who may call the API under /v1. */
  authentication: z
    .discriminatedUnion('type', [
      /** Callers sign with AWS credentials (SigV4). They are the operator's own, and may name any account. */
      z.strictObject({ type: z.literal('iam') }),
      /** Callers send a token of this issuer, which stands for one account and sees nothing of another. */
      z.strictObject({
        type: z.literal('jwt'),
        issuer: z.url({ protocol: /^https$/ }),
        audience: z.array(z.string().min(1)).min(1),
        accountClaim: z.string().min(1),
        /** A token with this scope may name any account. Without it, no token may. */
        operatorScope: z.string().min(1).optional(),
      }),
    ])
    .default({ type: 'iam' }),
  /** KMS keys whose certificates OAuth apps sign in with: those named as `signingKey.kmsKeyArn` in the OAuthApps secret. */
  clientKeyArns: z.array(z.string().startsWith('arn:')).default([]),
  /** Audiences of OAuth apps that trust this account's roles: those named as `federated.audience`. */
  federatedAudiences: z.array(z.string().min(1)).default([]),
  /** Provider entries that replace or add to the built-in ones. */
  providers: providerOverridesSchema.default({}),
})

export type PostroomConfiguration = z.infer<typeof configurationSchema>

/**
 * Checks the configuration once, at synth.
 * @throws Error that names each field, the rule and the value found
 */
export function readConfiguration(context: unknown): PostroomConfiguration {
  const given = typeof context === 'string' ? JSON.parse(context) : (context ?? {})
  const result = configurationSchema.safeParse(given)
  if (result.success) return result.data
  throw new Error(`Cannot read the context "postroom" of cdk.json:\n${z.prettifyError(result.error)}`)
}
