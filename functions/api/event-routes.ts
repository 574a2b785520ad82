/** The event log, by cursor: replay from anywhere, as often as wanted. */

import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { accountOf } from '../channel/caller.ts'
import { eventSchema, operatorAccount } from '../channel/events.ts'
import { json } from '../channel/http.ts'
import { cursorSchema, limitSchema, pageOf, writeCursor } from '../channel/paging.ts'
import { routesWith } from '../channel/route.ts'
import type { ApiServices } from './api.ts'

const readEventsQuery = v.strictObject({
  accountId: v.pipe(
    v.optional(v.union([accountIdSchema, v.literal(operatorAccount)])),
    v.description(
      'The account. `-` is for operators only: what belongs to no account, such as `app.fault` and `app.secret_expiring`. An operator must name one.',
    ),
  ),
  after: v.optional(cursorSchema),
  limit: limitSchema,
})

export const eventRoutes = [
  routesWith<ApiServices>()(
    {
      method: 'GET',
      path: '/v1/events',
      operationId: 'listEvents',
      summary: 'What happened, oldest first. The cursor of an empty page is where to ask again.',
      query: readEventsQuery,
      answer: { status: 200, body: pageOf('events', eventSchema) },
      faults: ['request_invalid', 'account_not_allowed'],
    },
    async ({ query, caller, services }) => {
      const { accountId, after, limit } = query
      const page = await services.events.read(accountOf(caller, accountId), { after, limit })
      return json(200, { events: page.items, cursor: writeCursor(page.after) })
    },
  ),
]
