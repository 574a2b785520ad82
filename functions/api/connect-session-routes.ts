/** Calls about connecting: the app asks for a link, reads how it went, and confirms. */

import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { activate } from '../channel/activation.ts'
import { accountOf } from '../channel/caller.ts'
import { foldersSchema } from '../channel/channel-settings.ts'
import { channelDocumentSchema, presentChannel } from '../channel/channels.ts'
import { newSession, presentSession, sessionDocumentSchema } from '../channel/connect-sessions.ts'
import { PostroomError } from '../channel/faults.ts'
import { json } from '../channel/http.ts'
import { showValue } from '../channel/input.ts'
import { log } from '../channel/log.ts'
import { providerOf } from '../channel/provider.ts'
import { type Call, type Endpoint, routesWith } from '../channel/route.ts'
import { time } from '../channel/single-values.ts'
import type { ApiServices } from './api.ts'

const route = routesWith<ApiServices>()

const address = v.pipe(v.string(), v.rfcEmail('must be a mail address'))

const newSessionSchema = v.strictObject({
  accountId: v.optional(accountIdSchema),
  provider: v.string('must name a provider'),
  returnUrl: v.pipe(
    v.optional(v.string()),
    v.description('Where the browser goes afterwards: exactly one of the URLs registered at deploy time.'),
  ),
  loginHint: v.optional(v.pipe(v.string(), v.minLength(1, 'must not be empty'), v.maxLength(254))),
  channelId: v.pipe(
    v.optional(v.string()),
    v.description('Reconnects this channel; another mailbox is then refused.'),
  ),
  sharedMailbox: v.pipe(
    v.optional(address),
    v.description('A mailbox the person who signs in may open and send as.'),
  ),
  fetchSince: v.pipe(v.optional(time), v.description('Reports mail from then on. Without it, from now on.')),
  folders: v.optional(foldersSchema),
  proveSendAs: v.pipe(
    v.optional(v.boolean(), false),
    v.description(
      'Sends one marked mail from the mailbox to itself and removes it: whether an address may stand in From shows only then.',
    ),
  ),
  autoConfirm: v.pipe(v.optional(v.boolean(), false), v.description('Needs no second call by the app.')),
})

const create = {
  method: 'POST',
  path: '/v1/connect-sessions',
  operationId: 'createConnectSession',
  summary: 'Makes a link that a mailbox owner follows to connect a mailbox.',
  body: newSessionSchema,
  answer: {
    status: 201,
    body: v.object({ id: v.string(), connectUrl: v.string(), expiresAt: v.string() }),
  },
  faults: ['json_invalid', 'request_invalid', 'provider_unknown', 'account_not_allowed', 'channel_not_found'],
} as const satisfies Endpoint

export const connectSessionRoutes = [
  route(create, createSession),

  route(
    {
      method: 'GET',
      path: '/v1/connect-sessions/{id}',
      operationId: 'getConnectSession',
      summary: 'How far the person has come; if it failed, why.',
      answer: { status: 200, body: sessionDocumentSchema },
      faults: ['session_not_found'],
    },
    async ({ parameters, services }) =>
      json(200, presentSession(await services.sessions.get(parameters.id ?? ''))),
  ),

  route(
    {
      method: 'POST',
      path: '/v1/connect-sessions/{id}/confirm',
      operationId: 'confirmConnectSession',
      summary:
        'Makes the connected mailbox a channel: the app says that its signed-in user is the one who began.',
      answer: {
        status: 200,
        body: v.object({ ...sessionDocumentSchema.entries, channel: channelDocumentSchema }),
      },
      faults: ['session_not_found', 'session_not_confirmable'],
    },
    async ({ parameters, services }) => {
      const session = await services.sessions.get(parameters.id ?? '')
      const channel = await activate(session, services)
      const confirmed = presentSession({ ...session, state: 'connected' })
      return json(200, { ...confirmed, channel: presentChannel(channel) })
    },
  ),
]

async function createSession({ body: wanted, caller, services }: Call<ApiServices, typeof create>) {
  const { sessions, providers, publicUrl, now } = services
  const accountId = accountOf(caller, wanted.accountId)
  providerOf(providers, wanted.provider)
  if (wanted.returnUrl !== undefined) requireReturnUrl(wanted.returnUrl, services.returnUrls)
  const { channelId, provider } = wanted
  const known =
    channelId === undefined
      ? undefined
      : await channelToReconnect({ accountId, provider, channelId }, services)

  const { session, ticket } = newSession(
    {
      accountId,
      provider,
      returnUrl: wanted.returnUrl ?? null,
      loginHint: wanted.loginHint ?? known?.login.smtp ?? null,
      channelId: known?.id ?? null,
      sharedMailbox: known ? known.sharedMailbox : (wanted.sharedMailbox ?? null),
      fetchSince: wanted.fetchSince ? new Date(wanted.fetchSince).toISOString() : null,
      folders: wanted.folders ?? null,
      autoConfirm: wanted.autoConfirm,
      proveSendAs: wanted.proveSendAs,
    },
    now(),
  )
  await sessions.create(session)
  log({ event: 'connect_session_created', sessionId: session.id, accountId, channelId: session.channelId })
  const expiresAt = new Date(session.expiresAtMs).toISOString()
  return json(201, { id: session.id, connectUrl: `${publicUrl}/connect/${ticket}`, expiresAt })
}

/** An exact match, so that nobody is led from our page to a stranger's. `http://localhost:*` is for one machine. */
function requireReturnUrl(returnUrl: string, allowed: string[]): void {
  const isLocal =
    URL.canParse(returnUrl) && /^http:\/\/(localhost|127\.0\.0\.1):\d+$/.test(new URL(returnUrl).origin)
  if (allowed.includes(returnUrl) || (isLocal && allowed.includes('http://localhost:*'))) return
  throw new PostroomError('request_invalid', {
    errors: [
      {
        field: 'returnUrl',
        rule: 'must be one of the URLs registered at deploy time',
        found: showValue(returnUrl),
      },
    ],
  })
}

async function channelToReconnect(
  wanted: { accountId: string; provider: string; channelId: string },
  { channels }: ApiServices,
) {
  const channel = await channels.get(wanted.channelId)
  if (channel.accountId !== wanted.accountId || channel.provider !== wanted.provider) {
    throw new PostroomError('channel_not_found', {
      errors: [
        { field: 'channelId', rule: 'must name a channel of this account and provider', found: channel.id },
      ],
    })
  }
  return channel
}
