/** Lists by cursor: each thing once, in order, and never of another account. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { type ApiCaller, addReceived, apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel
let app: ApiCaller

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
  app = apiCaller(bench)
})

/** Every page of a list. */
async function pages(name: string, query: Record<string, string>) {
  const items = []
  let cursor: string | null = null
  do {
    const page: Record<string, unknown> = await app.read(name, {
      query: { ...query, limit: '2', ...(cursor && { cursor }) },
    })
    const [list] = Object.values(page).filter(value => Array.isArray(value))
    expect(list?.length).toBeLessThanOrEqual(2)
    items.push(...(list ?? []))
    cursor = typeof page.cursor === 'string' ? page.cursor : null
  } while (cursor !== null)
  return items
}

test('a list of messages goes from the newest to the oldest, each once', async () => {
  const subjects = ['1', '2', '3', '4', '5']
  for (const subject of subjects) await app.send(channel, { subject })
  const list = await pages(`GET /v1/channels/${channel.id}/messages`, { direction: 'outbound' })
  expect(list.map(({ subject }) => subject)).toEqual(subjects.toReversed())
})

test('inbound and outbound messages are two lists', async () => {
  await app.send(channel, { subject: 'out' })
  await addReceived(bench, channel, 'in')
  const inbound = await pages(`GET /v1/channels/${channel.id}/messages`, { direction: 'inbound' })
  expect(inbound.map(({ subject }) => subject)).toEqual(['in'])
})

test('a list of channels is by account, or of all for an operator, each once', async () => {
  for (let i = 0; i < 4; i++) await addChannel(bench)
  const other = await addChannel(bench, { accountId: 'acme-2' })
  expect(await pages('GET /v1/channels', { accountId: 'acme' })).toHaveLength(5)
  expect((await pages('GET /v1/channels', { accountId: 'acme-2' })).map(({ id }) => id)).toEqual([other.id])
  expect(await pages('GET /v1/channels', {})).toHaveLength(6)
})

test.each(['', 'a', 'acme', 'acme"', 'abc#', 'zzz', 'other#ch'])(
  'I6: the cursor of the place %j shows no channel of another account',
  async place => {
    await addChannel(bench, { accountId: 'abc' })
    await addChannel(bench, { accountId: 'other' })
    const cursor = Buffer.from(place).toString('base64url')
    const answer = await app.call('GET /v1/channels', { query: { accountId: 'acme', cursor, limit: '100' } })
    const { channels = [] } = jsonOf(answer)
    expect(channels.filter((shown: Channel) => shown.accountId !== 'acme')).toEqual([])
  },
)

test('the cursor of one list shows nothing of another', async () => {
  const other = await addChannel(bench, { accountId: 'other' })
  await app.send(other)
  const { cursor } = await app.read('GET /v1/channels', { query: { limit: '1' } })
  for (const direction of ['inbound', 'outbound']) {
    const query = { direction, cursor: String(cursor) }
    const { messages } = await app.read(`GET /v1/channels/${channel.id}/messages`, { query })
    expect(messages).toEqual([])
  }
})

test('events are read in order, each once, and a cursor at the end waits for more', async () => {
  const announce = (subject: string) =>
    bench.events.announce({
      type: 'message.sent',
      accountId: 'acme',
      channelId: null,
      occurredAt: '',
      subject,
      data: { subject },
    })
  for (const subject of ['1', '2', '3']) {
    await announce(subject)
    bench.clock.advance(10)
  }
  bench.clock.advance(2_000)
  const query = (after?: string) => ({ query: { accountId: 'acme', limit: '2', ...(after && { after }) } })
  const first = await app.read('GET /v1/events', query())
  const second = await app.read('GET /v1/events', query(first.cursor))
  const third = await app.read('GET /v1/events', query(second.cursor))
  const subjects = [first, second, third].map(({ events }) =>
    events.map((event: { data: { subject: string } }) => event.data.subject),
  )
  expect(subjects).toEqual([['1', '2'], ['3'], []])
  await announce('4')
  bench.clock.advance(2_000)
  expect((await app.read('GET /v1/events', query(third.cursor))).events).toHaveLength(1)
})

test('I6: events of another account are never shown', async () => {
  await bench.events.announce({
    type: 'message.sent',
    accountId: 'other',
    channelId: null,
    occurredAt: '',
    subject: 'x',
    data: {},
  })
  bench.clock.advance(2_000)
  for (const accountId of ['acme', 'othe', 'other-2', '-']) {
    expect((await app.read('GET /v1/events', { query: { accountId } })).events).toEqual([])
  }
  const page = await app.read('GET /v1/events', {
    query: { accountId: 'acme', after: Buffer.from('0').toString('base64url') },
  })
  expect(page.events).toEqual([])
})
