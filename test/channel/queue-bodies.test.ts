/** What one release writes into the queues is read by the other, for both run while a deployment lasts. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import * as bodies from '../../functions/channel/queue-bodies.ts'

/** As release 0.1.0 writes them, but for doorbells. */
const written: [schema: v.GenericSchema, body: Record<string, unknown>][] = [
  [
    bodies.ownerNoticeSchema,
    { channelId: 'ch_1', ownerNotice: { channelId: 'ch_2', since: 's', reminder: 0 } },
  ],
  [bodies.pollBatchSchema, { channelIds: ['ch_1'], intervals: [1] }],
  [bodies.pollBatchSchema, { channelIds: ['ch_1'], isRequested: true }],
  [bodies.webhookDoorbellSchema, { webhookId: 'wh_1' }],
  [
    bodies.forgetSchema,
    {
      forget: { grantId: 'g', accountId: 'a', channelId: 'ch_1', provider: 'p', identity: {}, revoke: true },
    },
  ],
  [bodies.reparseSchema, { reparse: { messageId: 'msg_1' } }],
  [bodies.keepAliveSchema, { keepAlive: ['ch_1'] }],
  [bodies.checkAppsSchema, { checkApps: true }],
]

test.each(written)('%#: a body of release 0.1.0 is read', (schema, body) => {
  expect(v.parse(schema, body)).toEqual(body)
})

// 0.1.0 dropped whole batches of polls because the next release says when their turn was.
test.each(written)('%#: a field that a later release adds is passed over', (schema, body) => {
  expect(v.parse(schema, { ...body, ofALaterRelease: 1 })).toEqual(body)
})

test('a doorbell is only what has no further field: everything else is a message document', () => {
  expect(v.is(bodies.doorbellSchema, { channelId: 'ch_1' })).toBe(true)
  expect(v.is(bodies.doorbellSchema, { channelId: 'ch_1', subject: 's' })).toBe(false)
})
