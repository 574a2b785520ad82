/** Calls about channels: list, read, change settings, fetch now. */

import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { channelSettingsSchema } from '../channel/channel-settings.ts'
import { type Channel, channelDocumentSchema, presentChannel } from '../channel/channels.ts'
import { PostroomError } from '../channel/faults.ts'
import { type HttpAnswer, json } from '../channel/http.ts'
import { cursorSchema, limitSchema, pageOf, writeCursor } from '../channel/paging.ts'
import { routesWith } from '../channel/route.ts'
import type { ApiServices } from './api.ts'

const route = routesWith<ApiServices>()

const listQuery = v.strictObject({
  /** Without it, the channels of all accounts: for operators. */
  accountId: v.optional(accountIdSchema),
  cursor: v.optional(cursorSchema),
  limit: limitSchema,
})

async function shown(channel: Channel, { breaker }: ApiServices): Promise<HttpAnswer> {
  const [asSeen = channel] = await breaker.shown([channel])
  return json(200, presentChannel(asSeen))
}

/** @throws PostroomError `request_invalid` */
async function requireSender(
  from: string,
  { channel, services }: { channel: Channel; services: ApiServices },
): Promise<void> {
  const sender = await services.channels.find(from)
  const isOwn = sender?.accountId === channel.accountId && sender.disconnectedAt === null
  if (isOwn && sender.id !== channel.id) return
  const rule = 'must be another connected channel of the same account'
  throw new PostroomError('request_invalid', {
    errors: [{ field: 'ownerNotice.from', rule, found: from.slice(0, 80) }],
  })
}

export const channelRoutes = [
  route(
    {
      method: 'GET',
      path: '/v1/channels',
      operationId: 'listChannels',
      summary: 'The connected mailboxes, with their health.',
      query: listQuery,
      answer: { status: 200, body: pageOf('channels', channelDocumentSchema) },
      faults: ['request_invalid'],
    },
    async ({ query, services }) => {
      const { accountId, cursor, limit } = query
      const page = await services.channels.list(accountId ?? null, { after: cursor, limit })
      const shown = await services.breaker.shown(page.items)
      return json(200, { channels: shown.map(presentChannel), cursor: writeCursor(page.after) })
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/channels/{id}',
      operationId: 'getChannel',
      summary: 'One channel.',
      answer: { status: 200, body: channelDocumentSchema },
      faults: ['channel_not_found'],
    },
    async ({ parameters, services }) => shown(await services.channels.get(parameters.id ?? ''), services),
  ),

  route(
    {
      method: 'PATCH',
      path: '/v1/channels/{id}',
      operationId: 'changeChannel',
      summary: 'Changes settings; what is left out stays (RFC 7396).',
      body: channelSettingsSchema,
      answer: { status: 200, body: channelDocumentSchema },
      faults: ['json_invalid', 'request_invalid', 'channel_not_found', 'channel_disconnected'],
    },
    async ({ parameters, body, services }) => {
      const channel = await services.channels.get(parameters.id ?? '')
      if (channel.disconnectedAt !== null) throw new PostroomError('channel_disconnected')
      if (Object.keys(body).length === 0) return shown(channel, services)
      if (body.ownerNotice) await requireSender(body.ownerNotice.from, { channel, services })
      // Names that were looked up before are looked up anew, since somebody may just have made the folder.
      const places = body.folders && { folderPaths: {} }
      const changed = await services.channels.change(channel.id, { ...body, ...places })
      // Whoever set them wants to know whether they are there.
      if (places) await services.queues.pollNow(channel)
      return shown(changed ?? channel, services)
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/channels/{id}/poll',
      operationId: 'pollChannel',
      summary: 'Fetches new mail now.',
      answer: { status: 202, body: v.object({ channelId: v.string(), state: v.literal('polling') }) },
      faults: ['channel_not_found'],
    },
    async ({ parameters, services }) => {
      const channel = await services.channels.get(parameters.id ?? '')
      await services.queues.pollNow(channel)
      return json(202, { channelId: channel.id, state: 'polling' })
    },
  ),
]
