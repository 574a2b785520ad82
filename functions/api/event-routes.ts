/** The event log, by cursor: replay from anywhere, as often as wanted. */

import { z } from 'zod'
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

const readEventsQuery = z.strictObject({
  accountId: accountIdSchema.or(z.literal('-')),
  after: cursorSchema.optional(),
  limit: limitSchema,
})

export const eventRoutes: Route[] = [{ method: 'GET', pattern: '/v1/events', answer: readEvents }]

async function readEvents({ request, services }: Call) {
  const { accountId, after, limit } = readQuery(request, readEventsQuery)
  const page = await services.events.read(accountId, { after, limit })
  return json(200, { events: page.items, cursor: writeCursor(page.after) })
}
