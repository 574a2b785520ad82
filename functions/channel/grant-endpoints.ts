/** Calls that need a mailbox's tokens: connect answers them, which may open Secrets; the rest of the API cannot. */

import * as z from 'zod'
import { accountIdSchema } from './account-id.ts'
import { faultSchema } from './channel-health.ts'
import { channelDocumentSchema } from './channels.ts'
import type { Endpoint } from './route.ts'

const loginSchema = z.object({ imap: z.string(), smtp: z.string() })
const attemptSchema = z.object({
  login: z.string(),
  accepted: z.boolean(),
  answer: z.string().describe('What the server said.'),
  fault: faultSchema.nullable(),
})

const recheckSchema = z.object({
  channel: channelDocumentSchema,
  before: loginSchema,
  after: loginSchema,
  imap: z.array(attemptSchema),
  smtp: z.array(attemptSchema),
})

const recheckOptions = z.strictObject({
  dryRun: z.boolean().default(false).describe('Only says what would be stored.'),
})

const recheckFaults = [
  'json_invalid',
  'request_invalid',
  'channel_not_found',
  'channel_disconnected',
  'grant_revoked',
  'app_replaced',
  'app_credentials_refused',
  'provider_throttled',
  'provider_unreachable',
  'identity_mismatch',
  'mailbox_unusable',
] as const

const importSchema = z.strictObject({
  accountId: accountIdSchema,
  provider: z.string({ message: 'must name a provider' }),
  email: z.email({ message: 'must be a mail address' }).describe('The mailbox’s address, as it was known.'),
  login: z
    .string()
    .min(1, { message: 'must not be empty' })
    .max(254, { message: 'must be at most 254 characters' })
    .optional()
    .describe('The user name that worked at the mail servers; tried first.'),
  sharedMailbox: z
    .email({ message: 'must be a mail address' })
    .optional()
    .describe('A mailbox that the token’s owner may open and send as.'),
  refreshToken: z
    .string({ message: 'must be a string' })
    .regex(/^[\x21-\x7e]{1,8192}$/, { message: 'must be 1 to 8192 visible ASCII characters' })
    .describe('Shown nowhere again. It must have been given to the very OAuth app configured here.'),
  clientId: z
    .string()
    .optional()
    .describe('Of the OAuth app that the token was given to: another one is refused before it is tried.'),
  fetchSince: z.iso
    .datetime({ offset: true, message: 'must be an ISO 8601 time with an offset' })
    .optional()
    .describe('Reports mail from then on. Without it, from now on.'),
  dryRun: z
    .boolean()
    .default(false)
    .describe(
      'Checks all that can be known without using the token, which some providers let work once only.',
    ),
})
export type ImportRequest = z.output<typeof importSchema>

const importedSchema = z.object({
  state: z
    .enum(['imported', 'exists', 'importable'])
    .describe(
      '`exists`: it was connected already, and was left alone. `importable`: nothing speaks against it.',
    ),
  channel: channelDocumentSchema.nullable(),
})

export const grantEndpoints = {
  importChannel: {
    method: 'POST',
    path: '/v1/channels/import',
    operationId: 'importChannel',
    summary: 'Takes over a mailbox that was connected elsewhere, by its refresh token; for operators only.',
    body: importSchema,
    answer: { status: 200, body: importedSchema },
    faults: [
      'json_invalid',
      'request_invalid',
      'operator_required',
      'import_running',
      'provider_unknown',
      'configuration_invalid',
      'grant_revoked',
      'grant_expired',
      'grant_doubtful',
      'sign_in_required',
      'sign_in_frequency',
      'consent_withdrawn',
      'account_unavailable',
      'grant_blocked_by_policy',
      'app_replaced',
      'app_refused_in_tenant',
      'app_credentials_refused',
      'token_request_refused',
      'provider_throttled',
      'provider_unreachable',
      'id_token_missing',
      'id_token_invalid',
      'scope_missing',
      'address_missing',
      'identity_mismatch',
      'mailbox_unusable',
    ],
  },
  disconnect: {
    method: 'DELETE',
    path: '/v1/channels/{id}',
    operationId: 'disconnectChannel',
    summary: 'Ends a channel: the grant is revoked and forgotten, queued messages are cancelled.',
    answer: {
      status: 200,
      body: channelDocumentSchema.extend({
        revokedAtProvider: z
          .boolean()
          .describe('False where the provider has no revocation: the person removes the app themselves.'),
      }),
    },
    faults: ['channel_not_found'],
  },
  probe: {
    method: 'POST',
    path: '/v1/channels/{id}/probe',
    operationId: 'probeChannel',
    summary: 'What each mail server says to each name of the mailbox; what works is stored.',
    body: recheckOptions,
    bodyIsOptional: true,
    answer: { status: 200, body: recheckSchema },
    faults: [...recheckFaults],
  },
  reconcileLogin: {
    method: 'POST',
    path: '/v1/channels/{id}/reconcile-login',
    operationId: 'reconcileLogin',
    summary: 'Finds the name that works and stores it.',
    body: recheckOptions,
    bodyIsOptional: true,
    answer: { status: 200, body: recheckSchema },
    faults: [...recheckFaults],
  },
} as const satisfies Record<string, Endpoint>
