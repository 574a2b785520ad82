/** Invariant I6: with a token of one account, nothing of another can be read, changed, sent or announced, whatever is asked. */

import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { api } from '../../functions/api/api.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { addReceived, apiCaller } from '../support/api-caller.ts'
import {
  callDocumented,
  type Json,
  operationsOf,
  readDocument,
  requestsFor,
} from '../support/documented-api.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest, jsonOf, problemOf, type RequestParts } from '../support/http-requests.ts'
import { nowhere, providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
/** Stands in everything of the account that must not be seen. */
const marker = 'only-for-acme'
let bench: Workbench
let victim: Channel
let own: Channel
let ids: string[]

beforeEach(async () => {
  const tokenEndpoint = 'http://127.0.0.1:1/token'
  bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ imap: nowhere, smtp: nowhere, tokenEndpoint }),
  })
  victim = await addChannel(bench, { accountId: 'acme', email: `${marker}@contoso.example` })
  own = await addChannel(bench, { accountId: 'other' })
  const app = apiCaller(bench)
  const sent = jsonOf(await app.send(victim, { subject: marker, text: marker }))
  const received = await addReceived(bench, victim, 'in')
  const session = jsonOf(
    await app.call('POST /v1/connect-sessions', { body: { accountId: 'acme', provider: 'microsoft' } }),
  )
  await bench.events.announce({
    type: 'message.received',
    accountId: 'acme',
    channelId: victim.id,
    occurredAt: new Date(bench.now()).toISOString(),
    subject: received.id,
    data: { message: { subject: marker } },
  })
  bench.clock.advance(5_000)
  const body = { accountId: 'acme', url: `https://${marker}.example/` }
  const hook = jsonOf(await app.call('POST /v1/webhooks', { body }))
  bench.queues.rings.length = 0
  ids = [victim.id, sent.id, received.id, session.id, hook.id]
})

const claims = { account: 'other' }

async function itemsOf(accountId: string): Promise<Json[]> {
  return (await storedItems(bench)).filter(item => item.accountId === accountId)
}

test('no call, with whatever key, body or query, shows or changes anything of the other account', async () => {
  const document = await readDocument(bench)
  const before = await itemsOf('acme')
  expect(JSON.stringify(before)).toContain(marker)
  const victims = [...ids]
  for (const operation of operationsOf(document)) {
    const requests = requestsFor(operation, document, victims)
    const withTheirAccount = fc.record({ request: requests, names: fc.boolean() })
    await fc.assert(
      fc.asyncProperty(withTheirAccount, async ({ request: { call, parts }, names }) => {
        const takesAccount = operation.operation.parameters?.some((one: Json) => one.name === 'accountId')
        const query = { ...parts.query, ...(names && takesAccount && { accountId: 'acme' }) }
        const answer = await callDocumented(bench, call, { ...(parts as RequestParts), query, claims })
        expect(answer.body).not.toContain(marker)
        if (answer.statusCode === 200 && !call.endsWith('openapi.json')) {
          expect(answer.body).not.toMatch(new RegExp(victims.join('|')))
        }
      }),
      { numRuns: 20 },
    )
  }
  expect(await itemsOf('acme')).toEqual(before)
  expect(bench.queues.rings).not.toContain(victim.id)
  expect(bench.queues.asked).not.toContain(victim.id)
  expect(bench.queues.forgotten).toEqual([])
  expect(bench.queues.notified).not.toContain(victims.at(-1))
}, 120_000)

test('each call about a thing of another account is answered as for a thing that does not exist', async () => {
  const document = await readDocument(bench)
  const mail = { to: [{ address: 'a@b.example' }], text: 't' }
  for (const { name } of operationsOf(document).filter(({ name }) => name.includes('{id}'))) {
    for (const id of ids) {
      const parts = {
        claims,
        headers: { 'idempotency-key': 'k' },
        query: name.startsWith('GET /v1/channels/{id}/messages') ? { direction: 'outbound' } : undefined,
        body: /POST .*\/messages$/.test(name) ? mail : {},
      }
      const stranger = problemOf(
        await callDocumented(bench, name.replace('{id}', id).replace('{index}', '0'), parts),
      )
      const nothing = problemOf(
        await callDocumented(bench, name.replace('{id}', 'zz_nothing').replace('{index}', '0'), parts),
      )
      expect([name, stranger.status, stranger.code]).toEqual([name, 404, nothing.code])
      expect(stranger.detail.replace(id, 'zz_nothing')).toBe(nothing.detail)
    }
  }
})

test('lists hold the token’s own things, named or not; naming another account is refused', async () => {
  const list = await api(httpRequest('GET /v1/channels', { claims }), bench)
  expect(jsonOf(list).channels.map(({ id }: Channel) => id)).toEqual([own.id])
  const named = await api(httpRequest('GET /v1/channels', { claims, query: { accountId: 'other' } }), bench)
  expect(jsonOf(named)).toEqual(jsonOf(list))
  expect(jsonOf(await api(httpRequest('GET /v1/events', { claims }), bench)).events).toEqual([])
  for (const name of ['GET /v1/channels', 'GET /v1/events']) {
    const answer = await api(httpRequest(name, { claims, query: { accountId: 'acme' } }), bench)
    expect(problemOf(answer)).toMatchObject({ status: 403, code: 'account_not_allowed' })
  }
  const body = { accountId: 'acme', provider: 'microsoft' }
  const session = await api(httpRequest('POST /v1/connect-sessions', { claims, body }), bench)
  expect(problemOf(session)).toMatchObject({ status: 403, errors: [{ field: 'accountId', found: 'acme' }] })
})

test('no event of another account is delivered again, whoever’s webhook it is', async () => {
  const body = { url: 'https://app.example/' }
  const { id } = jsonOf(await api(httpRequest('POST /v1/webhooks', { claims, body }), bench))
  const [event] = jsonOf(
    await api(httpRequest('GET /v1/events', { query: { accountId: 'acme' } }), bench),
  ).events
  for (const caller of [claims, undefined]) {
    const request = httpRequest(`POST /v1/webhooks/${id}/redeliver`, {
      claims: caller,
      body: { eventId: event.id },
    })
    expect(problemOf(await api(request, bench))).toMatchObject({ status: 404, code: 'event_not_found' })
  }
})

test('a token’s webhook is its account’s own: it cannot be set up for all accounts', async () => {
  const body = { url: 'https://app.example/' }
  const mine = await api(httpRequest('POST /v1/webhooks', { claims, body }), bench)
  expect(jsonOf(mine).accountId).toBe('other')
  const theirs = { ...body, accountId: 'acme' }
  const refused = await api(httpRequest('POST /v1/webhooks', { claims, body: theirs }), bench)
  expect(problemOf(refused)).toMatchObject({ status: 403, code: 'account_not_allowed' })
})

test('a cursor out of another account’s list leads into no other account', async () => {
  await addChannel(bench, { accountId: 'acme' })
  const theirs = jsonOf(await api(httpRequest('GET /v1/channels', { query: { limit: '1' } }), bench))
  const answer = await api(
    httpRequest('GET /v1/channels', { claims, query: { cursor: String(theirs.cursor) } }),
    bench,
  )
  for (const channel of jsonOf(answer).channels) expect(channel.accountId).toBe('other')
})

test('what an account sends lies and is announced under its own name only', async () => {
  bench.stores.calls.length = 0
  const body = { to: [{ address: 'a@b.example' }], text: 't', inReplyTo: ids[1] }
  const parts = { claims, headers: { 'idempotency-key': 'k' }, body }
  const foreign = await api(httpRequest(`POST /v1/channels/${own.id}/messages`, parts), bench)
  expect(problemOf(foreign)).toMatchObject({ status: 400, errors: [{ field: 'inReplyTo' }] })
  const plain = { ...parts, body: { ...body, inReplyTo: undefined } }
  expect((await api(httpRequest(`POST /v1/channels/${own.id}/messages`, plain), bench)).statusCode).toBe(202)
  const keys = bench.stores.calls
    .filter(({ command }) => command === 'PutObjectCommand')
    .map(({ input }) => String(Reflect.get(input, 'Key')))
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) expect(key).toMatch(/^accounts\/other\//)
})

test.each([
  ['no claim', {}],
  ['an empty claim', { account: '' }],
  ['a claim that is no account', { account: 'a/b' }],
  ['the operator’s account', { account: '-' }],
  ['a list', { account: ['acme'] }],
])('a token with %s sees nothing', async (_what, claims) => {
  const answer = await api(httpRequest('GET /v1/channels', { claims }), bench)
  expect(problemOf(answer)).toMatchObject({ status: 403, code: 'caller_unknown' })
})

test('a request that nobody vouched for sees nothing: a route that lost its authorizer stays shut', async () => {
  const request = httpRequest('GET /v1/channels')
  const { authorizer: _none, ...requestContext } = { authorizer: undefined, ...request.requestContext }
  const answer = await api({ ...request, requestContext }, bench)
  expect(problemOf(answer)).toMatchObject({ status: 403, code: 'caller_unknown' })
})

test('what is the operator’s is read by an operator, and by no account’s token', async () => {
  await bench.events.announce({
    type: 'app.secret_expiring',
    accountId: '-',
    channelId: null,
    occurredAt: new Date(bench.now()).toISOString(),
    subject: 'the secret',
    data: { provider: 'microsoft' },
  })
  bench.clock.advance(5_000)
  const read = (caller?: Json) => api(httpRequest('GET /v1/events', { claims: caller, query }), bench)
  const query = { accountId: '-' }
  for (const operator of [undefined, { scope: 'operator' }]) {
    expect(jsonOf(await read(operator)).events).toMatchObject([{ type: 'app.secret_expiring' }])
  }
  expect(problemOf(await read(claims))).toMatchObject({ status: 403, code: 'account_not_allowed' })
  const own = await api(httpRequest('GET /v1/events', { claims }), bench)
  expect(jsonOf(own).events).toEqual([])
})

test('a token with the operator’s scope may name any account', async () => {
  const operator = { scope: 'mail operator' }
  const query = { accountId: 'acme' }
  const answer = await api(httpRequest('GET /v1/channels', { claims: operator, query }), bench)
  expect(jsonOf(answer).channels.map(({ id }: Channel) => id)).toEqual([victim.id])
})
