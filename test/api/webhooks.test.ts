/** Calls about webhooks: set up, changed, tried, delivered again. */

import { once } from 'node:events'
import { Webhook as Verifier } from 'standardwebhooks'
import { beforeEach, expect, test } from 'vitest'
import { createConsumer } from '../../functions/notify/example-consumer.ts'
import { type ApiCaller, apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf, problemOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { type WebhookBench, webhookBench } from '../support/webhook-bench.ts'
import { answers, type Receiver, useReceivers } from '../support/webhook-receiver.ts'
import { openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const receivers = useReceivers()
let bench: Workbench
let hooks: WebhookBench
let receiver: Receiver
let app: ApiCaller

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  hooks = webhookBench(bench)
  receiver = await receivers.open()
  app = apiCaller(bench)
})

test.each([
  [{}, 'url'],
  [{ url: 'http://app.example/' }, 'url'],
  [{ url: 'https://app.example/', types: [] }, 'types'],
  [{ url: 'https://app.example/', types: ['message.red'] }, 'types.0'],
  [{ url: 'https://app.example/', accountId: 'a b' }, 'accountId'],
  [{ url: 'https://app.example/', secret: 'mine' }, 'secret'],
])('the webhook %j is refused', async (body, field) => {
  const before = await storedItems(bench)
  const problem = problemOf(await app.call('POST /v1/webhooks', { body }))
  expect(problem).toMatchObject({ status: 400, errors: [{ field }] })
  expect(await storedItems(bench)).toEqual(before)
})

test('an account has at most ten', async () => {
  const body = { url: 'https://app.example/', accountId: 'acme' }
  for (let i = 0; i < 10; i++) expect((await app.call('POST /v1/webhooks', { body })).statusCode).toBe(201)
  const problem = problemOf(await app.call('POST /v1/webhooks', { body }))
  expect(problem).toMatchObject({ status: 409, code: 'webhook_limit_reached' })
  expect((await app.call('POST /v1/webhooks', { body: { ...body, accountId: 'other' } })).statusCode).toBe(
    201,
  )
})

test('the test button posts a signed event at once, and says what the receiver made of it', async () => {
  const { id, secret } = await hooks.add(receiver.url)
  const good = await app.read(`POST /v1/webhooks/${id}/test`)
  expect(good).toMatchObject({ accepted: true, evidence: 'HTTP 204' })
  const [{ headers, body } = { headers: {}, body: '' }] = receiver.received
  expect(new Verifier(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    type: 'webhook.test',
  })
  receiver.behave(answers.failing)
  expect(await app.read(`POST /v1/webhooks/${id}/test`)).toMatchObject({
    accepted: false,
    evidence: 'HTTP 500',
  })
  // A test is no delivery: it counts for nothing.
  expect((await bench.webhooks.get(id)).failures).toBe(0)
})

test('a successful test ends the rest of a receiver that failed, and what waits is delivered', async () => {
  receiver.behave(answers.failing)
  const { id } = await hooks.add(receiver.url)
  const ids = [
    await hooks.happen('1'),
    await hooks.happen('2'),
    await hooks.happen('3'),
    await hooks.happen('4'),
  ]
  await hooks.settle()
  expect((await bench.webhooks.get(id)).restsUntil).not.toBeNull()
  receiver.behave(answers.ok)
  const before = receiver.received.length
  await app.read(`POST /v1/webhooks/${id}/test`)
  await hooks.settle()
  expect(new Set(receiver.ids().slice(before + 1))).toEqual(new Set(ids))
})

test('a new URL is tried at once with what waits', async () => {
  receiver.behave(answers.failing)
  const { id } = await hooks.add(receiver.url)
  const ids = [await hooks.happen('1'), await hooks.happen('2'), await hooks.happen('3')]
  await hooks.settle()
  const moved = await receivers.open()
  await app.call(`PATCH /v1/webhooks/${id}`, { body: { url: moved.url } })
  await hooks.settle()
  expect(moved.ids()).toEqual(ids)
})

test('a paused webhook is sent nothing, a deleted one neither', async () => {
  const { id } = await hooks.add(receiver.url)
  await app.call(`PATCH /v1/webhooks/${id}`, { body: { state: 'paused' } })
  await hooks.happen('1')
  await hooks.settle()
  await app.call(`PATCH /v1/webhooks/${id}`, { body: { state: 'active' } })
  await app.call(`DELETE /v1/webhooks/${id}`)
  await hooks.happen('2')
  await hooks.settle()
  expect(receiver.received).toEqual([])
  expect(problemOf(await app.call(`GET /v1/webhooks/${id}`)).code).toBe('webhook_not_found')
})

test('events of the log are delivered again: one, or page by page from a cursor, of the wanted types only', async () => {
  const { id } = await hooks.add(receiver.url, { types: ['message.received'] })
  const first = await hooks.happen('1')
  const second = await hooks.happen('2')
  await hooks.happen('3', { type: 'message.sent' })
  await hooks.settle()
  bench.clock.advance(5_000)
  receiver.received.length = 0

  expect(await app.read(`POST /v1/webhooks/${id}/redeliver`, { body: { eventId: second } })).toMatchObject({
    queued: 1,
  })
  await hooks.settle()
  expect(receiver.ids()).toEqual([second])

  receiver.received.length = 0
  let after: string | null = null
  let queued = 0
  do {
    const page: Record<string, unknown> = await app.read(`POST /v1/webhooks/${id}/redeliver`, {
      body: { limit: 1, ...(after && { after }) },
    })
    queued += Number(page.queued)
    after = page.cursor as string | null
  } while (after !== null)
  await hooks.settle()
  expect(queued).toBe(2)
  expect(receiver.ids()).toEqual([first, second])
})

test('the example consumer takes each event once, and refuses what is not signed with its secret', async () => {
  const taken: string[] = []
  const { id, secret } = await hooks.add(receiver.url)
  const server = createConsumer(secret, event => taken.push(event.id)).listen(0, '127.0.0.1')
  try {
    await once(server, 'listening')
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/`
    await app.call(`PATCH /v1/webhooks/${id}`, { body: { url } })
    const eventId = await hooks.happen('1')
    await hooks.settle()
    bench.clock.advance(2_000)
    await app.call(`POST /v1/webhooks/${id}/redeliver`, { body: { eventId } })
    await hooks.settle()
    expect(taken).toEqual([eventId])
    const forged = await fetch(url, {
      method: 'POST',
      body: '{"id":"ev_x"}',
      headers: { 'webhook-id': 'ev_x', 'webhook-timestamp': '1', 'webhook-signature': 'v1,eHg=' },
    })
    expect(forged.status).toBe(401)
    expect(taken).toEqual([eventId])
  } finally {
    server.close()
  }
})

test('a secret is shown when it is made, and never again', async () => {
  const created = jsonOf(
    await app.call('POST /v1/webhooks', { body: { url: receiver.url, accountId: 'acme' } }),
  )
  expect(created.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  for (const name of [
    `GET /v1/webhooks/${created.id}`,
    'GET /v1/webhooks',
    `DELETE /v1/webhooks/${created.id}`,
  ]) {
    expect(JSON.stringify(await app.read(name))).not.toContain('whsec_')
  }
})
