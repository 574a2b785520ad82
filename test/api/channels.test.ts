/** Calls that change a channel's settings. */

import { beforeEach, expect, test } from 'vitest'
import { activate } from '../../functions/channel/activation.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { ConnectSession } from '../../functions/channel/connect-sessions.ts'
import { type ApiCaller, apiCaller } from '../support/api-caller.ts'
import { newSession } from '../support/consent-walk.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf, problemOf } from '../support/http-requests.ts'
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

const change = (body: unknown) => app.call(`PATCH /v1/channels/${channel.id}`, { body })

test('a new display name stands in the From of the next message', async () => {
  expect(jsonOf(await change({ displayName: 'Support' })).displayName).toBe('Support')
  const { id } = jsonOf(await app.send(channel))
  expect((await bench.messages.get(id)).from).toEqual([{ address: channel.email, name: 'Support' }])
})

test('what is left out stays; null takes the name away', async () => {
  expect(jsonOf(await change({})).displayName).toBe('Ada Lovelace')
  expect(jsonOf(await change({ displayName: null })).displayName).toBeNull()
})

test('a message may come from an address that was set as an alias, and from no other', async () => {
  const from = (address: string) => app.send(channel, { from: { address } })
  expect(problemOf(await from('support@contoso.example'))).toMatchObject({
    errors: [{ field: 'from.address' }],
  })
  expect(jsonOf(await change({ aliases: ['support@contoso.example'] })).aliases).toHaveLength(1)
  const { id } = jsonOf(await from('Support@contoso.example'))
  const message = await bench.messages.get(id)
  expect(message).toMatchObject({ from: [{ address: 'support@contoso.example', name: 'Ada Lovelace' }] })
  await change({ aliases: [] })
  expect(problemOf(await from('support@contoso.example'))).toMatchObject({ status: 400 })
})

test.each([
  [{ aliases: ['nobody'] }, 'aliases.0'],
  [{ aliases: ['a@b.example\r\nBcc: x@y.example'] }, 'aliases.0'],
  [{ aliases: Array.from({ length: 51 }, (_, i) => `a${i}@b.example`) }, 'aliases'],
  [{ displayName: '' }, 'displayName'],
  [{ displayName: 'a\r\nBcc: x@y.example' }, 'displayName'],
  [{ displayName: 'x'.repeat(201) }, 'displayName'],
  [{ displayName: 7 }, 'displayName'],
  [{ folders: [] }, 'folders'],
  [{ folders: ['sent', 'sent'] }, 'folders'],
  [{ folders: ['a\r\nb'] }, 'folders.0'],
  [{ folders: Array.from({ length: 11 }, (_, i) => `f${i}`) }, 'folders'],
  [{ email: 'other@contoso.example' }, 'email'],
  [{ auth: { state: 'connected' } }, 'auth'],
])('the change %j is refused', async (body, field) => {
  expect(problemOf(await change(body))).toMatchObject({ status: 400, errors: [{ field }] })
  expect(await bench.channels.get(channel.id)).toEqual(channel)
})

test('folders that are set are looked for at once, and until then nobody says that one is missing', async () => {
  const before = {
    folders: ['INBOX', 'sent'],
    folderPaths: { sent: { path: null, lookedAt: '2026-11-26T12:00:00.000Z' } },
  }
  await bench.channels.change(channel.id, before)
  expect(await app.read(`GET /v1/channels/${channel.id}`)).toMatchObject({
    missingFolders: ['sent'],
    foldersLookedAt: '2026-11-26T12:00:00.000Z',
  })
  expect(jsonOf(await change({ folders: ['INBOX', 'Clients/Acme'] }))).toMatchObject({
    folders: ['INBOX', 'Clients/Acme'],
    missingFolders: [],
    foldersLookedAt: null,
  })
  expect(bench.queues.asked).toEqual([channel.id])
})

test.each<[string[] | null, string[]]>([
  [null, ['INBOX', 'sent']],
  [['junk'], ['junk']],
])('a reconnect that wants the folders %j reads %j from then on', async (wanted, read) => {
  await change({ folders: ['INBOX', 'sent'] })
  expect((await reconnected({ folders: wanted })).folders).toEqual(read)
})

test('a reconnect leaves the name that the app has set', async () => {
  await change({ displayName: 'Support' })
  expect((await reconnected()).displayName).toBe('Support')
})

async function reconnected(wanted: Partial<ConnectSession> = {}): Promise<Channel> {
  const { id } = await newSession(bench, { ...wanted, state: 'open', channelId: channel.id })
  const session = await bench.sessions.move(
    id,
    { states: ['open'] },
    {
      state: 'awaiting_confirmation',
      expiresAtMs: bench.now() + 60_000,
      candidate: {
        channelId: channel.id,
        grantId: 'gr_new',
        identity: channel.identity,
        email: channel.email,
        displayName: 'Ada Byron',
        login: channel.login,
        clientId: channel.clientId,
        candidates: { imap: [], smtp: [] },
        access: null,
      },
    },
  )
  if (!session) throw new Error('The session did not move')
  return activate(session, bench)
}

test('a disconnected channel takes no settings', async () => {
  await bench.channels.change(channel.id, { disconnectedAt: new Date(bench.now()).toISOString() })
  expect(problemOf(await change({ displayName: 'x' }))).toMatchObject({ code: 'channel_disconnected' })
})

test('notices to the owner can be switched on and off', async () => {
  const sender = await addChannel(bench)
  const wanted = { from: sender.id, to: 'owner@outside.example' }
  expect(jsonOf(await change({ ownerNotice: wanted })).ownerNotice).toEqual(wanted)
  expect(jsonOf(await change({ ownerNotice: { from: sender.id } })).ownerNotice).toEqual({
    ...wanted,
    to: null,
  })
  expect(jsonOf(await change({ displayName: 'x' })).ownerNotice).toEqual({ ...wanted, to: null })
  expect(jsonOf(await change({ ownerNotice: null })).ownerNotice).toBeNull()
})

test('I6: notices are sent from another connected channel of the same account only', async () => {
  const others = [
    channel,
    await addChannel(bench, { accountId: 'other' }),
    await addChannel(bench, { disconnectedAt: new Date(bench.now()).toISOString() }),
    { id: 'ch_nobody' },
  ]
  for (const { id } of others) {
    const refused = problemOf(await change({ ownerNotice: { from: id } }))
    expect(refused).toMatchObject({ status: 400, errors: [{ field: 'ownerNotice.from', found: id }] })
  }
  expect(await bench.channels.get(channel.id)).toEqual(channel)
})
