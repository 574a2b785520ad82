/** Calls that need a mailbox's tokens: connect answers them, which may open Secrets; the rest of the API cannot. */

import { z } from 'zod'
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

export const grantEndpoints = {
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
