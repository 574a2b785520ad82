/** Calls that need a mailbox's tokens: connect answers them, which may open Secrets; the rest of the API cannot. */

import * as v from 'valibot'
import { accountIdSchema } from './account-id.ts'
import { faultSchema } from './channel-health.ts'
import { channelDocumentSchema } from './channels.ts'
import type { Endpoint } from './route.ts'
import { time } from './single-values.ts'

const loginSchema = v.object({ imap: v.string(), smtp: v.string() })
const attemptSchema = v.object({
  login: v.string(),
  accepted: v.boolean(),
  answer: v.pipe(v.string(), v.description('What the server said.')),
  fault: v.nullable(faultSchema),
})

const recheckSchema = v.object({
  channel: channelDocumentSchema,
  before: loginSchema,
  after: loginSchema,
  imap: v.array(attemptSchema),
  smtp: v.array(attemptSchema),
})

const recheckOptions = v.strictObject({
  dryRun: v.pipe(v.optional(v.boolean(), false), v.description('Only says what would be stored.')),
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

const importSchema = v.strictObject({
  accountId: accountIdSchema,
  provider: v.string('must name a provider'),
  email: v.pipe(
    v.string(),
    v.rfcEmail('must be a mail address'),
    v.description('The mailbox’s address, as it was known.'),
  ),
  login: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.minLength(1, 'must not be empty'),
        v.maxLength(254, 'must be at most 254 characters'),
      ),
    ),
    v.description('The user name that worked at the mail servers; tried first.'),
  ),
  sharedMailbox: v.pipe(
    v.optional(v.pipe(v.string(), v.rfcEmail('must be a mail address'))),
    v.description('A mailbox that the token’s owner may open and send as.'),
  ),
  refreshToken: v.pipe(
    v.string('must be a string'),
    v.regex(/^[\x21-\x7e]{1,8192}$/, 'must be 1 to 8192 visible ASCII characters'),
    v.description('Shown nowhere again. It must have been given to the very OAuth app configured here.'),
  ),
  clientId: v.pipe(
    v.optional(v.string()),
    v.description('Of the OAuth app that the token was given to: another one is refused before it is tried.'),
  ),
  fetchSince: v.pipe(v.optional(time), v.description('Reports mail from then on. Without it, from now on.')),
  dryRun: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      'Checks all that can be known without using the token, which some providers let work once only.',
    ),
  ),
})
export type ImportRequest = v.InferOutput<typeof importSchema>

const importedSchema = v.object({
  state: v.pipe(
    v.picklist(['imported', 'exists', 'importable']),
    v.description(
      '`exists`: it was connected already, and was left alone. `importable`: nothing speaks against it.',
    ),
  ),
  channel: v.nullable(channelDocumentSchema),
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
      body: v.object({
        ...channelDocumentSchema.entries,
        revokedAtProvider: v.pipe(
          v.boolean(),
          v.description('False where the provider has no revocation: the person removes the app themselves.'),
        ),
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
