/** Calls about channels: list, read, fetch now. */

import { z } from 'zod'
import { presentChannel } from '../channel/channels.ts'
import { json } from '../channel/http.ts'
import {
  accountIdSchema,
  type Call,
  cursorSchema,
  limitSchema,
  type Route,
  readQuery,
  writeCursor,
} from './route.ts'

const listQuery = z.strictObject({
  /** Without it, the channels of all accounts: for operators. */
  accountId: accountIdSchema.optional(),
  cursor: cursorSchema.optional(),
  limit: limitSchema,
})

export const channelRoutes: Route[] = [
  { method: 'GET', pattern: '/v1/channels', answer: list },
  { method: 'GET', pattern: '/v1/channels/{id}', answer: read },
  { method: 'POST', pattern: '/v1/channels/{id}/poll', answer: poll },
]

async function list({ request, services }: Call) {
  const { accountId, cursor, limit } = readQuery(request, listQuery)
  const page = await services.channels.list(accountId ?? null, { after: cursor, limit })
  return json(200, { channels: page.items.map(presentChannel), cursor: writeCursor(page.after) })
}

async function read({ parameters, services }: Call) {
  return json(200, presentChannel(await services.channels.get(parameters.id ?? '')))
}

async function poll({ parameters, services }: Call) {
  const channel = await services.channels.get(parameters.id ?? '')
  await services.queues.pollNow(channel.id)
  return json(202, { channelId: channel.id, state: 'polling' })
}
