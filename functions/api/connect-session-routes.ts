/** Calls about connecting: the app asks for a link, reads how it went, and confirms. */

import { z } from 'zod'
import { activate } from '../channel/activation.ts'
import { presentChannel } from '../channel/channels.ts'
import { type ConnectSession, presentSession, sessionLifeMs } from '../channel/connect-sessions.ts'
import { PostroomError } from '../channel/faults.ts'
import { json } from '../channel/http.ts'
import { hashSecret, randomId, randomSecret } from '../channel/identifiers.ts'
import { parseInput, showValue } from '../channel/input.ts'
import { providerOf } from '../channel/provider.ts'
import type { ApiServices } from './api.ts'
import { accountIdSchema, type Call, type Route, readBody } from './route.ts'

const address = z.email({ message: 'must be a mail address' })

const newSessionSchema = z.strictObject({
  accountId: accountIdSchema,
  provider: z.string({ message: 'must name a provider' }),
  returnUrl: z.string().optional(),
  loginHint: z.string().min(1, { message: 'must not be empty' }).max(254).optional(),
  channelId: z.string().optional(),
  sharedMailbox: address.optional(),
  fetchSince: z.iso.datetime({ offset: true, message: 'must be an ISO 8601 time with an offset' }).optional(),
  autoConfirm: z.boolean().default(false),
})

export const connectSessionRoutes: Route[] = [
  { method: 'POST', pattern: '/v1/connect-sessions', answer: create },
  { method: 'GET', pattern: '/v1/connect-sessions/{id}', answer: read },
  { method: 'POST', pattern: '/v1/connect-sessions/{id}/confirm', answer: confirm },
]

async function create({ request, services }: Call) {
  const { sessions, providers, publicUrl, now } = services
  const wanted = parseInput(newSessionSchema, readBody(request))
  providerOf(providers, wanted.provider)
  if (wanted.returnUrl !== undefined) requireReturnUrl(wanted.returnUrl, services.returnUrls)
  const known = wanted.channelId === undefined ? undefined : await channelToReconnect(wanted, services)

  const id = randomId('cs')
  const ticket = `${id}.${randomSecret()}`
  const session: ConnectSession = {
    id,
    accountId: wanted.accountId,
    provider: wanted.provider,
    returnUrl: wanted.returnUrl ?? null,
    loginHint: wanted.loginHint ?? known?.login.smtp ?? null,
    channelId: known?.id ?? null,
    sharedMailbox: known ? known.sharedMailbox : (wanted.sharedMailbox ?? null),
    fetchSince: wanted.fetchSince ? new Date(wanted.fetchSince).toISOString() : null,
    autoConfirm: wanted.autoConfirm,
    state: 'open',
    createdAt: new Date(now()).toISOString(),
    expiresAtMs: now() + sessionLifeMs,
    ticketHash: hashSecret(ticket.slice(id.length + 1)),
    cookieHash: null,
    stateHash: null,
    candidate: null,
    fault: null,
  }
  await sessions.create(session)
  const expiresAt = new Date(session.expiresAtMs).toISOString()
  return json(201, { id, connectUrl: `${publicUrl}/connect/${ticket}`, expiresAt })
}

async function read({ parameters, services }: Call) {
  return json(200, presentSession(await services.sessions.get(parameters.id ?? '')))
}

async function confirm({ parameters, services }: Call) {
  const session = await services.sessions.get(parameters.id ?? '')
  const channel = await activate(session, services)
  return json(200, {
    ...presentSession({ ...session, state: 'connected' }),
    channel: presentChannel(channel),
  })
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

async function channelToReconnect(wanted: z.output<typeof newSessionSchema>, { channels }: ApiServices) {
  const channel = await channels.get(wanted.channelId ?? '')
  if (channel.accountId !== wanted.accountId || channel.provider !== wanted.provider) {
    throw new PostroomError('channel_not_found', {
      errors: [
        { field: 'channelId', rule: 'must name a channel of this account and provider', found: channel.id },
      ],
    })
  }
  return channel
}
