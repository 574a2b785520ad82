/** Calls about webhooks: set up, change, try, deliver again. */

import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { accountOf, type Caller } from '../channel/caller.ts'
import type { PostroomEvent } from '../channel/events.ts'
import { PostroomError } from '../channel/faults.ts'
import { json } from '../channel/http.ts'
import { randomId } from '../channel/identifiers.ts'
import { cursorSchema, limitSchema, pageOf, writeCursor } from '../channel/paging.ts'
import { type Endpoint, routesWith } from '../channel/route.ts'
import { integer } from '../channel/single-values.ts'
import { noteSuccess } from '../channel/webhook-health.ts'
import {
  newWebhookSchema,
  presentWebhook,
  type Webhook,
  webhookDocumentSchema,
  webhookLimit,
  webhookSettingsSchema,
} from '../channel/webhooks.ts'
import type { ApiServices } from './api.ts'

const route = routesWith<ApiServices>()

const listQuery = v.strictObject({
  accountId: v.optional(accountIdSchema),
  cursor: v.optional(cursorSchema),
  limit: limitSchema,
})

const secret = v.pipe(v.string(), v.description('Signs every delivery (Standard Webhooks). Shown this once.'))

/** How long the secret before a new one stays good: time to roll the new one out. */
const overlapMs = 24 * 3600_000

const create = {
  method: 'POST',
  path: '/v1/webhooks',
  operationId: 'createWebhook',
  summary: 'Has events posted to a URL, signed, from now on.',
  body: newWebhookSchema,
  answer: { status: 201, body: v.object({ ...webhookDocumentSchema.entries, secret }) },
  faults: ['json_invalid', 'request_invalid', 'account_not_allowed', 'webhook_limit_reached'],
} as const satisfies Endpoint

const redeliverBody = v.strictObject({
  eventId: v.pipe(v.optional(v.string()), v.description('One event again.')),
  after: v.pipe(
    v.optional(cursorSchema),
    v.description('The events after this cursor of the log; without it, from its start.'),
  ),
  accountId: v.pipe(
    v.optional(accountIdSchema),
    v.description('Whose log, where the webhook is the operator’s.'),
  ),
  limit: limitSchema,
})

export const webhookRoutes = [
  route(create, async ({ body, caller, services }) => {
    const { webhooks, webhookSecrets, now } = services
    // An operator who names no account means all of them.
    const isForAll = caller.accountId === null && body.accountId === undefined
    const accountId = isForAll ? null : accountOf(caller, body.accountId)
    await requireRoom(accountId, services)
    const webhook: Webhook = {
      id: randomId('wh'),
      accountId,
      url: body.url,
      types: body.types,
      state: 'active',
      secrets: [{ version: 1, expiresAt: null }],
      createdAt: new Date(now()).toISOString(),
      failures: 0,
      failingSince: null,
      lastFailure: null,
      restsUntil: null,
      recoveredAt: null,
      wakeAt: null,
    }
    await webhooks.create(webhook)
    return json(201, { ...presentWebhook(webhook), secret: await webhookSecrets.secretOf(webhook.id, 1) })
  }),

  route(
    {
      method: 'GET',
      path: '/v1/webhooks',
      operationId: 'listWebhooks',
      summary: 'The webhooks, and how they fare.',
      query: listQuery,
      answer: { status: 200, body: pageOf('webhooks', webhookDocumentSchema) },
      faults: ['request_invalid', 'account_not_allowed'],
    },
    async ({ query: { accountId, cursor, limit }, services }) => {
      const page = await services.webhooks.list(accountId, { after: cursor, limit })
      return json(200, { webhooks: page.items.map(presentWebhook), cursor: writeCursor(page.after) })
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/webhooks/{id}',
      operationId: 'getWebhook',
      summary: 'One webhook.',
      answer: { status: 200, body: webhookDocumentSchema },
      faults: ['webhook_not_found'],
    },
    async ({ parameters, services }) =>
      json(200, presentWebhook(await services.webhooks.get(parameters.id ?? ''))),
  ),

  route(
    {
      method: 'PATCH',
      path: '/v1/webhooks/{id}',
      operationId: 'changeWebhook',
      summary: 'Changes settings; what is left out stays. What waits is delivered as soon as it is active.',
      body: webhookSettingsSchema,
      answer: { status: 200, body: webhookDocumentSchema },
      faults: ['json_invalid', 'request_invalid', 'webhook_not_found'],
    },
    async ({ parameters, body, services }) => {
      const { webhooks, queues, now } = services
      const webhook = await webhooks.get(parameters.id ?? '')
      const isFresh = body.url !== undefined || body.state === 'active'
      const recoveredAt = new Date(now()).toISOString()
      const forgiven = { failures: 0, failingSince: null, restsUntil: null, recoveredAt }
      const changed = await webhooks.change(webhook.id, { ...body, ...(isFresh && forgiven) })
      if (isFresh) await queues.notify(webhook.id)
      return json(200, presentWebhook(changed ?? webhook))
    },
  ),

  route(
    {
      method: 'DELETE',
      path: '/v1/webhooks/{id}',
      operationId: 'deleteWebhook',
      summary: 'Ends a webhook; nothing more is posted.',
      answer: { status: 200, body: webhookDocumentSchema },
      faults: ['webhook_not_found'],
    },
    async ({ parameters, services }) => {
      const webhook = await services.webhooks.get(parameters.id ?? '')
      await services.webhooks.remove(webhook.id)
      return json(200, presentWebhook({ ...webhook, state: 'paused' }))
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/webhooks/{id}/rotate-secret',
      operationId: 'rotateWebhookSecret',
      summary: 'Makes a new secret. For a day, deliveries are signed with the old one too.',
      answer: { status: 200, body: v.object({ ...webhookDocumentSchema.entries, secret }) },
      faults: ['webhook_not_found'],
    },
    async ({ parameters, services }) => {
      const { webhooks, webhookSecrets, now } = services
      const webhook = await webhooks.get(parameters.id ?? '')
      const [current] = webhook.secrets
      const version = (current?.version ?? 0) + 1
      const expiresAt = new Date(now() + overlapMs).toISOString()
      const secrets = [{ version, expiresAt: null }, ...(current ? [{ ...current, expiresAt }] : [])]
      const changed = await webhooks.change(webhook.id, { secrets })
      return json(200, {
        ...presentWebhook(changed ?? webhook),
        secret: await webhookSecrets.secretOf(webhook.id, version),
      })
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/webhooks/{id}/test',
      operationId: 'testWebhook',
      summary: 'Posts an event of the type webhook.test at once, and says what the receiver made of it.',
      answer: {
        status: 200,
        body: v.object({
          accepted: v.boolean(),
          evidence: v.pipe(v.string(), v.description('The status, or what came in its way.')),
          durationMs: integer,
        }),
      },
      faults: ['webhook_not_found'],
    },
    async ({ parameters, services }) => {
      const { webhooks, queues, now } = services
      const webhook = await webhooks.get(parameters.id ?? '')
      const startedMs = now()
      // Loaded only now: with it comes Node's module for plain HTTP, which costs a cold start 40 ms.
      const { postEvent } = await import('../channel/webhook-request.ts')
      const receipt = await postEvent(webhook, testEvent(webhook, startedMs), services)
      if (receipt.accepted && webhook.failures > 0) {
        await noteSuccess(webhook, services)
        await queues.notify(webhook.id)
      }
      const evidence = receipt.accepted ? `HTTP ${receipt.status}` : receipt.evidence
      return json(200, { accepted: receipt.accepted, evidence, durationMs: now() - startedMs })
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/webhooks/{id}/redeliver',
      operationId: 'redeliverEvents',
      summary: 'Delivers events of the log again: one by id, or page by page what came after a cursor.',
      body: redeliverBody,
      answer: {
        status: 202,
        body: v.object({
          queued: v.pipe(integer, v.description('How many of the page are of a type the webhook wants.')),
          cursor: v.pipe(
            v.nullable(v.string()),
            v.description('Send it as `after` to go on; null if nothing came after it.'),
          ),
        }),
      },
      faults: [
        'json_invalid',
        'request_invalid',
        'account_not_allowed',
        'webhook_not_found',
        'event_not_found',
      ],
    },
    async ({ parameters, body, caller, services }) => {
      const { webhooks, deliveries, queues } = services
      const webhook = await webhooks.get(parameters.id ?? '')
      const { events, cursor } = await eventsToRepeat(webhook, body, { caller, services })
      const wanted = events.filter(({ type }) => webhook.types === null || webhook.types.includes(type))
      for (const event of wanted) await deliveries.add(webhook.id, event)
      if (wanted.length > 0) await queues.notify(webhook.id)
      return json(202, { queued: wanted.length, cursor })
    },
  ),
]

async function requireRoom(accountId: string | null, { webhooks }: ApiServices): Promise<void> {
  const { items } = await webhooks.list(accountId, { after: undefined, limit: webhookLimit })
  if (items.length < webhookLimit) return
  throw new PostroomError('webhook_limit_reached', {
    errors: [
      { field: 'url', rule: `must be one of at most ${webhookLimit}`, found: `${items.length} webhooks` },
    ],
  })
}

function testEvent(webhook: Webhook, nowMs: number): PostroomEvent {
  return {
    id: randomId('ev'),
    type: 'webhook.test',
    accountId: webhook.accountId ?? '-',
    channelId: null,
    occurredAt: new Date(nowMs).toISOString(),
    data: { webhook: presentWebhook(webhook) },
  }
}

async function eventsToRepeat(
  webhook: Webhook,
  { eventId, after, accountId, limit }: v.InferOutput<typeof redeliverBody>,
  { caller, services }: { caller: Caller; services: ApiServices },
): Promise<{ events: PostroomEvent[]; cursor: string | null }> {
  const { events } = services
  if (eventId !== undefined) {
    const event = await events.find(eventId)
    const isTheirs = webhook.accountId === null || event?.accountId === webhook.accountId
    if (event && isTheirs) return { events: [event], cursor: null }
    throw new PostroomError('event_not_found', {
      errors: [{ field: 'eventId', rule: 'must name an event of the account', found: eventId.slice(0, 80) }],
    })
  }
  const account = webhook.accountId ?? accountOf(caller, accountId)
  const page = await events.read(account, { after, limit })
  return { events: page.items, cursor: page.items.length > 0 ? writeCursor(page.after) : null }
}
