/**
 * What release 0.1.0 stored, recorded item by item from a run of test/system/every-call.ts on one machine, is read by the
 * code of today. That run ended without a webhook and no OAuth app was refused in it: those items were written by the
 * same commit's code into a table in memory; a run that had both, and was killed, is in test/upgrade. The files never
 * change: a change of shape takes a default or an upgrade (readItem in channel/table.ts).
 */

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { openAppBreaker } from '../../functions/channel/app-breaker.ts'
import { openChannels } from '../../functions/channel/channels.ts'
import { openConnectSessions } from '../../functions/channel/connect-sessions.ts'
import { openDeliveries } from '../../functions/channel/deliveries.ts'
import { openEvents } from '../../functions/channel/events.ts'
import { openEventsTopic } from '../../functions/channel/events-topic.ts'
import { openGrants } from '../../functions/channel/grant.ts'
import { takeLease } from '../../functions/channel/lease.ts'
import { openMessages } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { openSlots } from '../../functions/channel/slots.ts'
import type { Item, Key } from '../../functions/channel/table.ts'
import { openThreads } from '../../functions/channel/threads.ts'
import { openWebhooks } from '../../functions/channel/webhooks.ts'
import { openCursors } from '../../functions/fetch/cursor.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import type { Recording } from '../upgrade/recording.ts'
import recorded from './release-0.1.0.json' with { type: 'json' }

const nothing = async () => undefined
const now = () => Date.parse('2026-11-26T14:45:00Z')
/** When an OAuth app that was refused may be tried again. */
const afterTrials = () => Date.parse('2026-11-26T14:46:00Z')

/** Fresh tables that hold what was recorded, with the nouns of today on them. */
async function openRecorded(
  change: (item: Item) => Item = item => item,
  items: (Key & Item)[] = recorded.main,
) {
  const [main, secrets] = [openMemoryTable(), openMemoryTable()]
  for (const item of items) await main.put({ pk: item.pk, sk: item.sk, ...change(item) })
  for (const item of recorded.secrets) await secrets.put({ pk: item.pk, sk: item.sk, ...change(item) })
  const events = openEvents({ main, topic: openEventsTopic({ topicArn: '' }), now })
  return {
    main,
    breaker: openAppBreaker({ main, events: { ...events, announce: nothing }, now: afterTrials }),
    channels: openChannels({ main }),
    sessions: openConnectSessions({ main, now }),
    messages: openMessages({ main, mail: { put: nothing, read: nothing, size: nothing, stream: nothing } }),
    events,
    threads: openThreads({ main }),
    cursors: openCursors({ main }),
    outbox: openOutbox({ main }),
    slots: openSlots({ main }),
    deliveries: openDeliveries({ main, now }),
    minutes: openMinutes({ main, now }),
    webhooks: openWebhooks({ main }),
    grants: openGrants({
      secrets,
      seal: { prepare: nothing, seal: async text => text, open: async text => text },
      now,
    }),
  }
}

const isOf = (begin: string, sk: string) => (item: Key) => item.pk.startsWith(begin) && item.sk.startsWith(sk)
const idOf = ({ pk }: Key) => pk.slice(pk.indexOf('#') + 1)
const keysOf = (begin: string, sk: string): Key[] => recorded.main.filter(isOf(begin, sk))
/** Of the system that was killed. */
const killed = (
  JSON.parse(await readFile(new URL('../upgrade/release-0.1.0.json', import.meta.url), 'utf8')) as Recording
).tables.flatMap(({ definition, items }) => (definition.TableName.includes('Main') ? items : []))

/** Of each kind that has a reader of its own: how the item of this key is found. */
const readers: [
  begin: string,
  sk: string,
  (nouns: Awaited<ReturnType<typeof openRecorded>>, key: Key) => Promise<unknown>,
][] = [
  ['CHANNEL#', 'CHANNEL', ({ channels }, key) => channels.find(idOf(key))],
  ['SESSION#', 'SESSION', ({ sessions }, key) => sessions.find(idOf(key))],
  ['MESSAGE#', 'MESSAGE', ({ messages }, key) => messages.find(idOf(key))],
  ['WEBHOOK#', 'WEBHOOK', ({ webhooks }, key) => webhooks.find(idOf(key))],
  ['EVENT#', 'EVENT', ({ events }, key) => events.find(idOf(key))],
  ['CHANNEL#', 'CURSOR#', ({ cursors }, key) => cursors.find(idOf(key), key.sk.slice('CURSOR#'.length))],
  ['OUTBOX#', '', async ({ outbox }, key) => (await outbox.rows(idOf(key), 1))[0]],
  ['DELIVERIES#', '', async ({ deliveries }, key) => (await deliveries.rows(idOf(key), 1))[0]],
]

test.each(readers)('%s%s: every recorded item is read', async (begin, sk, read) => {
  const nouns = await openRecorded()
  const keys = keysOf(begin, sk)
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) expect(await read(nouns, key), key.pk).toBeDefined()
})

test.each(readers)('%s%s: every item that a killed system left is read', async (begin, sk, read) => {
  const nouns = await openRecorded(undefined, killed)
  const keys = killed.filter(isOf(begin, sk))
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) expect(await read(nouns, key), key.pk).toBeDefined()
})

test('both directions of messages and every state that was recorded keep their state', async () => {
  const { messages } = await openRecorded()
  for (const item of recorded.main.filter(isOf('MESSAGE#', 'MESSAGE'))) {
    const { direction, state, subject } = item as Item
    expect(await messages.get(idOf(item))).toMatchObject({ direction, state, subject })
  }
})

test('threads, slots, leases, minutes and grants are found as they were', async () => {
  const { main, threads, slots, minutes, grants } = await openRecorded()
  const [entry] = recorded.main.filter(isOf('CHANNEL#', 'MESSAGE_ID')) as (Key & Item)[]
  expect(await threads.find(entry ? idOf(entry) : '', String(entry?.messageId))).toMatchObject({
    id: entry?.id,
  })
  const [slot] = keysOf('CHANNEL#', 'SLOT#')
  const all = Array.from({ length: 60 }, (_, minute) => minute)
  expect((await slots.dueIn(all)).map(({ channelId }) => channelId)).toEqual([slot ? idOf(slot) : ''])
  const [lease] = keysOf('CHANNEL#', 'SEND_LEASE') as (Key & Item)[]
  const before = recorded.main.find(({ pk, sk }) => pk === lease?.pk && sk === lease?.sk) as Item
  const taken = lease && (await takeLease(lease, 'drain_of_today', { main, now }))
  expect(taken?.epoch).toBe(Number(before.epoch) + 1)
  expect((await minutes.due()).length).toBeGreaterThan(0)
  const grantId = recorded.secrets.filter(({ sk }) => sk === 'GRANT').map(idOf)[0] ?? ''
  expect(await grants.read({ grantId, accountId: '', channelId: '' })).toMatchObject({ version: 1 })
})

test('webhooks listen, and the one that rests is rung for, as they were left', async () => {
  const { webhooks } = await openRecorded()
  const listening = await webhooks.listening('every-call', 'app.fault')
  expect(listening.map(({ accountId, failures }) => [accountId, failures])).toEqual(
    expect.arrayContaining([
      ['every-call', 0],
      ['every-call', 3],
      [null, 0],
    ]),
  )
  expect(await webhooks.due('2026-11-26T14:45:27.000Z', 10)).toEqual([])
  expect(await webhooks.due('2026-11-26T14:45:28.000Z', 10)).toEqual(['wh_failing7wx6wibqeykpr7i6u4e'])
})

test('an OAuth app that was refused is tried in its time, one that works again is rung for', async () => {
  const { breaker } = await openRecorded()
  const behind = (clientId: string, tid: string) => ({
    accountId: 'every-call',
    provider: 'microsoft',
    clientId,
    identity: { issuer: '', subject: '', tid },
  })
  const tenant = '5f0f8f5c-0000-4000-8000-000000000001'
  expect((await breaker.standing()).recovered).toMatchObject([
    { clientId: 'app-that-is-back', isToBeResumed: 1 },
  ])
  // Its next trial is due by now; the other organizations of the second are not held back.
  expect(await breaker.admit(behind('app-refused', tenant))).toMatchObject({ trialOf: { trials: 1 } })
  expect(await breaker.admit(behind('app-of-one-tenant', tenant))).toMatchObject({
    trialOf: { tenantId: tenant },
  })
  expect(await breaker.admit(behind('app-of-one-tenant', 'another'))).toEqual({ trialOf: null })
})

/** As items were before these fields came: what a release before 0.1.0 would have stored. */
const laterFields = ['epoch', 'sentLook', 'automatic', 'listId', 'isFromSelf', 'report', 'waitsForChannel']

test('an older shape, without the fields that came later, is read with their defaults', async () => {
  const { messages, outbox } = await openRecorded(item =>
    Object.fromEntries(Object.entries(item).filter(([name]) => !laterFields.includes(name))),
  )
  for (const key of keysOf('MESSAGE#', 'MESSAGE')) {
    const message = await messages.get(idOf(key))
    if (message.direction === 'outbound') expect(message).toMatchObject({ epoch: 0, sentLook: null })
    else expect(message).toMatchObject({ automatic: null, listId: null, isFromSelf: false, report: null })
  }
  const [row] = keysOf('OUTBOX#', '')
  expect((await outbox.rows(row ? idOf(row) : '', 1))[0]).toMatchObject({ waitsForChannel: false })
})

test.each(readers.slice(0, 5))(
  '%s%s: an item of a newer release is refused, and named',
  async (begin, sk, read) => {
    const nouns = await openRecorded(item => ({ ...item, schemaVersion: 99 }))
    const [key] = keysOf(begin, sk)
    await expect(async () => key && read(nouns, key)).rejects.toMatchObject({
      code: 'stored_item_invalid',
      errors: [{ field: 'schemaVersion', found: '99' }],
    })
  },
)
