/** Calls about connect sessions: the link, how it went, the confirmation. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { type ApiCaller, apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf, problemOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventTypes, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel
let app: ApiCaller

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
  app = apiCaller(bench)
})

test('a connect session gives a link once, of which only the hash is kept', async () => {
  const body = { accountId: 'acme', provider: 'microsoft', returnUrl: 'https://app.example/connected' }
  const answer = await app.call('POST /v1/connect-sessions', { body })
  expect(answer.statusCode).toBe(201)
  const { id, connectUrl, expiresAt } = jsonOf(answer)
  expect(connectUrl).toMatch(/^http:\/\/localhost:4400\/connect\/cs_[a-z2-7]{26}\.[\w-]{43}$/)
  expect(Date.parse(expiresAt)).toBeGreaterThan(bench.now())
  expect(JSON.stringify(await storedItems(bench))).not.toContain(connectUrl.split('.').at(-1))
  expect(await app.read(`GET /v1/connect-sessions/${id}`)).toMatchObject({
    id,
    state: 'open',
    channelId: null,
    fault: null,
  })
})

test('a session that is not awaiting its confirmation cannot be confirmed', async () => {
  const { id } = jsonOf(
    await app.call('POST /v1/connect-sessions', { body: { accountId: 'acme', provider: 'microsoft' } }),
  )
  expect(problemOf(await app.call(`POST /v1/connect-sessions/${id}/confirm`))).toMatchObject({
    status: 409,
    code: 'session_not_confirmable',
    errors: [{ field: 'state', found: 'open' }],
  })
  expect(await eventTypes(bench)).toEqual([])
})

test('a link for a reconnect keeps the mailbox it is for', async () => {
  const body = { accountId: 'acme', provider: 'microsoft', channelId: channel.id }
  const { id } = jsonOf(await app.call('POST /v1/connect-sessions', { body }))
  expect(await bench.sessions.get(id)).toMatchObject({ channelId: channel.id, loginHint: channel.login.smtp })
})

test('the folders to be read are chosen with the link', async () => {
  const body = { accountId: 'acme', provider: 'microsoft', folders: ['INBOX', 'sent'] }
  const { id } = jsonOf(await app.call('POST /v1/connect-sessions', { body }))
  expect(await bench.sessions.get(id)).toMatchObject({ folders: ['INBOX', 'sent'] })
})

test('with http://localhost:* allowed, a local app may be returned to, and nobody who looks like one', async () => {
  bench.returnUrls.push('http://localhost:*')
  const create = (returnUrl: string) =>
    app.call('POST /v1/connect-sessions', { body: { accountId: 'acme', provider: 'microsoft', returnUrl } })
  expect((await create('http://localhost:3000/done')).statusCode).toBe(201)
  for (const url of [
    'http://localhost:3000@evil.example/',
    'http://localhost.evil.example:1/',
    'https://localhost:1/x',
    '//localhost:1',
  ]) {
    expect((await create(url)).statusCode).toBe(400)
  }
})
