/** Receivers that are well, slow, dead, lying or redirecting: each event arrives, and no receiver delays another. */

import type { ServerResponse } from 'node:http'
import { Webhook as Verifier } from 'standardwebhooks'
import { beforeEach, expect, test } from 'vitest'
import { apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { type WebhookBench, webhookBench } from '../support/webhook-bench.ts'
import { answers, type Receiver, useReceivers } from '../support/webhook-receiver.ts'
import { eventsOf, eventTypes, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const receivers = useReceivers()
let bench: Workbench
let hooks: WebhookBench
let receiver: Receiver

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  hooks = webhookBench(bench)
  receiver = await receivers.open()
})

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

async function waiting(webhookId: string) {
  return (await storedItems(bench)).filter(({ pk }) => pk === `DELIVERIES#${webhookId}`)
}

test('an event is posted once, whole, with a signature that the published library verifies', async () => {
  const { id, secret } = await hooks.add(receiver.url)
  const eventId = await hooks.happen('m1')
  await hooks.settle()
  expect(receiver.ids()).toEqual([eventId])
  const [{ headers, body } = { headers: {}, body: '' }] = receiver.received
  const event = new Verifier(secret).verify(body, headers as Record<string, string>)
  expect(event).toMatchObject({ id: eventId, type: 'message.received', data: { message: { id: 'm1' } } })
  expect(await waiting(id)).toEqual([])
})

test('events arrive in the order in which they happened', async () => {
  await hooks.add(receiver.url)
  const ids = []
  for (const subject of ['1', '2', '3', '4', '5']) ids.push(await hooks.happen(subject))
  await hooks.settle()
  expect(receiver.ids()).toEqual(ids)
})

test('a webhook is posted one event after the other, also where another invocation hears of the next', async () => {
  // The first post must not run out of time on a busy machine.
  const patient = webhookBench({ ...bench, webhookTimeoutMs: 30_000 })
  await patient.add(receiver.url)
  const posted = Promise.withResolvers<ServerResponse>()
  receiver.behave(posted.resolve)
  const first = await patient.happen('1')
  const ofTheFirst = patient.settle()
  const response = await posted.promise
  receiver.behave(answers.ok)
  const second = await patient.happen('2')
  await patient.settle()
  expect(receiver.ids()).toEqual([first])
  answers.ok(response)
  await ofTheFirst
  expect(receiver.ids()).toEqual([first, second])
})

test('an event told twice by the topic while it waits is one delivery', async () => {
  receiver.behave(answers.failing)
  const { id } = await hooks.add(receiver.url)
  await hooks.happen('m1')
  await hooks.settle()
  await hooks.happen('m1')
  await hooks.settle()
  expect(await waiting(id)).toHaveLength(1)
})

test('only the types it asked for are posted, and only of its account', async () => {
  await hooks.add(receiver.url, { types: ['message.sent'] })
  await hooks.happen('in')
  const sent = await hooks.happen('out', { type: 'message.sent' })
  await hooks.happen('foreign', { type: 'message.sent', accountId: 'other' })
  await hooks.settle()
  expect(receiver.ids()).toEqual([sent])
})

test('the operator’s webhook is told the events of every account', async () => {
  await hooks.add(receiver.url, { accountId: null })
  const ids = [await hooks.happen('1'), await hooks.happen('2', { accountId: 'other' })]
  await hooks.settle()
  expect(receiver.ids()).toEqual(ids)
})

test.each([
  ['says nothing', answers.silent, 'no whole answer in time'],
  ['answers 500', answers.failing, 'HTTP 500'],
  ['breaks off in the middle of its answer', answers.breaksOff, /broke off|ECONNRESET/],
  ['resets the connection', answers.resets, 'ECONNRESET'],
] as const)(
  'a receiver that %s has not accepted: the event comes again, under the same id',
  async (_what, behaviour, evidence) => {
    receiver.behave(behaviour)
    const { id } = await hooks.add(receiver.url)
    const eventId = await hooks.happen('m1')
    await hooks.settle()
    const { lastFailure } = await bench.webhooks.get(id)
    expect(lastFailure?.evidence).toMatch(evidence)
    receiver.behave(answers.ok)
    await hooks.pass(2 * minuteMs, minuteMs)
    expect(receiver.ids()).toEqual([eventId, eventId])
    expect(await waiting(id)).toEqual([])
  },
)

test.each([
  ['garbage', answers.garbage],
  ['without end', answers.endless],
])('a receiver that answers 200 and %s has accepted: only the status counts', async (_what, behaviour) => {
  receiver.behave(behaviour)
  const { id } = await hooks.add(receiver.url)
  await hooks.happen('m1')
  await hooks.settle()
  expect(receiver.received).toHaveLength(1)
  expect(await waiting(id)).toEqual([])
})

test('a redirect is not followed, and counts as refused', async () => {
  const elsewhere = await receivers.open()
  receiver.behave(answers.redirectTo(elsewhere.url))
  const { id } = await hooks.add(receiver.url)
  await hooks.happen('m1')
  await hooks.settle()
  expect(elsewhere.received).toEqual([])
  expect((await bench.webhooks.get(id)).lastFailure?.evidence).toBe('HTTP 307')
  expect(await waiting(id)).toHaveLength(1)
})

test.each([
  ['in seconds', answers.later],
  ['as a date, whatever its clock says', answers.laterByDate],
])('a receiver that asks for time %s gets it', async (_, later) => {
  receiver.behave(later)
  await hooks.add(receiver.url)
  await hooks.happen('m1')
  await hooks.settle()
  receiver.behave(answers.ok)
  await hooks.pass(110 * minuteMs, 10 * minuteMs)
  expect(receiver.received).toHaveLength(1)
  await hooks.pass(20 * minuteMs, 10 * minuteMs)
  expect(receiver.received).toHaveLength(2)
})

test('receivers that hang or are dead delay no other: it has everything before they have failed once', async () => {
  const [silent, dead, broken] = [await receivers.open(), 'http://127.0.0.1:1/', await receivers.open()]
  silent.behave(answers.silent)
  broken.behave(answers.failing)
  const held: string[] = []
  receiver.behave(response => {
    held.push('delivered')
    response.writeHead(204).end()
  })
  const types = ['message.received']
  for (const url of [silent.url, dead, broken.url, receiver.url]) await hooks.add(url, { types })
  const ids = []
  for (const subject of ['1', '2', '3']) ids.push(await hooks.happen(subject))
  await hooks.settle().then(() => held.push('the others have failed'))
  expect(receiver.ids()).toEqual(ids)
  expect(held).toEqual(['delivered', 'delivered', 'delivered', 'the others have failed'])
})

test('one event that its receiver always refuses holds up none of the others', async () => {
  const poison = await hooks.happen('poison')
  receiver.behave(response => {
    const isPoison = receiver.ids().at(-1) === poison
    response.writeHead(isPoison ? 400 : 204).end()
  })
  await hooks.add(receiver.url)
  const ids = [await hooks.happen('1'), await hooks.happen('2')]
  await hooks.settle()
  expect(receiver.ids()).toEqual([poison, ...ids])
  expect(await eventTypes(bench)).not.toContain('webhook.failing')
})

test('a dead receiver is told of once, is tried ever less often, and gets everything when it is back', async () => {
  receiver.behave(answers.failing)
  const { id } = await hooks.add(receiver.url)
  const other = await receivers.open()
  await hooks.add(other.url, { types: ['webhook.failing', 'webhook.recovered'] })
  const ids = []
  for (let i = 0; i < 8; i++) ids.push(await hooks.happen(String(i)))
  await hooks.settle()
  // Three failures in a row are enough to see that it is the receiver.
  expect(receiver.received).toHaveLength(3)
  await hooks.pass(2 * dayMs, 30 * minuteMs)
  const attempts = receiver.received.length
  expect(attempts).toBeLessThan(2 * 24 * 2)
  expect((await eventTypes(bench)).filter(type => type === 'webhook.failing')).toHaveLength(1)

  receiver.behave(answers.ok)
  await hooks.pass(2 * hourMs, 30 * minuteMs)
  expect(new Set(receiver.ids().slice(attempts))).toEqual(new Set(ids))
  expect(receiver.ids().slice(attempts)).toHaveLength(ids.length)
  expect(await waiting(id)).toEqual([])
  expect((await eventsOf(bench)).map(({ type }) => type).filter(type => type.startsWith('webhook.'))).toEqual(
    ['webhook.failing', 'webhook.recovered'],
  )
  expect(other.received).toHaveLength(2)
})

test('after three days of failing it is paused and told; what waited and what the log has since are delivered on demand', async () => {
  receiver.behave(answers.failing)
  const { id } = await hooks.add(receiver.url)
  const before = await hooks.happen('before')
  await hooks.settle()
  await hooks.pass(3 * dayMs + 2 * hourMs, hourMs)
  expect(await bench.webhooks.get(id)).toMatchObject({ state: 'paused' })
  expect(await eventTypes(bench)).toContain('webhook.paused')
  const attempts = receiver.received.length
  const during = await hooks.happen('during')
  await hooks.settle()
  await hooks.pass(dayMs, 6 * hourMs)
  expect(receiver.received).toHaveLength(attempts)

  receiver.behave(answers.ok)
  const app = apiCaller(bench)
  await app.call(`PATCH /v1/webhooks/${id}`, { body: { state: 'active' } })
  const { queued } = await app.read(`POST /v1/webhooks/${id}/redeliver`, { body: { limit: 100 } })
  expect(queued).toBeGreaterThanOrEqual(2)
  await hooks.settle()
  expect(receiver.ids().slice(attempts)).toEqual(expect.arrayContaining([before, during]))
})

test('an event refused for three days beside others that are taken is given up and told, and stays in the log', async () => {
  const poison = await hooks.happen('poison')
  receiver.behave(response => {
    response.writeHead(receiver.ids().at(-1) === poison ? 400 : 204).end()
  })
  const { id } = await hooks.add(receiver.url)
  await hooks.settle()
  for (let hour = 0; hour < 80; hour += 4) {
    await hooks.happen(`hourly-${hour}`)
    await hooks.settle()
    await hooks.pass(4 * hourMs, 4 * hourMs)
  }
  expect(await waiting(id)).toEqual([])
  const told = (await eventsOf(bench)).filter(({ type }) => type === 'webhook.delivery_failed')
  expect(told.map(({ data }) => data.event?.id)).toEqual([poison])
  expect(await bench.events.find(poison)).toMatchObject({ data: { message: { id: 'poison' } } })
  expect((await bench.webhooks.get(id)).state).toBe('active')
})

test('410 Gone ends it at once', async () => {
  receiver.behave(answers.gone)
  const { id } = await hooks.add(receiver.url)
  await hooks.happen('1')
  await hooks.happen('2')
  await hooks.settle()
  expect(receiver.received).toHaveLength(1)
  expect(await bench.webhooks.get(id)).toMatchObject({
    state: 'paused',
    lastFailure: { evidence: 'HTTP 410' },
  })
})

test('a failed write of ours gives the record back to the queue, and nothing is lost', async () => {
  await hooks.add(receiver.url)
  const eventId = await hooks.happen('m1')
  const { calls } = bench.stores
  const published = calls.findLast(({ command }) => command === 'PublishCommand')
  const record = { messageId: 'r', body: String(Reflect.get(published?.input ?? {}, 'Message')) }
  const { notify } = await import('../../functions/notify/notify.ts')
  bench.stores.failWhen(({ command }) => command === 'PutItemCommand' || command === 'PutCommand')
  const run = () => notify([record], { services: bench, deadlineMs: bench.now() + 60_000 })
  expect(await run()).toEqual({ batchItemFailures: [{ itemIdentifier: 'r' }] })
  bench.stores.failWhen(() => false)
  expect(await run()).toEqual({ batchItemFailures: [] })
  expect(receiver.ids()).toEqual([eventId])
})

test('when time runs out it stops between two events, and is rung for by schedule', async () => {
  const { id } = await hooks.add(receiver.url)
  await hooks.happen('1')
  const published = bench.stores.calls.findLast(({ command }) => command === 'PublishCommand')
  const record = { messageId: 'r', body: String(Reflect.get(published?.input ?? {}, 'Message')) }
  const { notify } = await import('../../functions/notify/notify.ts')
  await notify([record], { services: bench, deadlineMs: bench.now() + 1_000 })
  expect(receiver.received).toEqual([])
  expect(await bench.webhooks.due(new Date(bench.now()).toISOString(), 10)).toEqual([id])
})

test('the two secrets of a rotation both verify; after a day only the new one', async () => {
  const { id, secret: old } = await hooks.add(receiver.url)
  const app = apiCaller(bench)
  const { secret } = jsonOf(await app.call(`POST /v1/webhooks/${id}/rotate-secret`))
  expect(secret).not.toBe(old)
  const verifies = (key: string) => {
    const { headers, body } = receiver.received.at(-1) ?? { headers: {}, body: '' }
    // The library knows no other clock than the system's.
    const signer = new Verifier(key)
    const at = new Date(Number(headers['webhook-timestamp']) * 1000)
    return String(headers['webhook-signature']).includes(signer.sign(String(headers['webhook-id']), at, body))
  }
  await hooks.happen('1')
  await hooks.settle()
  expect([verifies(old), verifies(secret)]).toEqual([true, true])
  bench.clock.advance(25 * hourMs)
  await hooks.happen('2')
  await hooks.settle()
  expect([verifies(old), verifies(secret)]).toEqual([false, true])
})

test('I9: no secret stands in the tables, or in what is read and listed later', async () => {
  const { id, secret } = await hooks.add(receiver.url)
  const app = apiCaller(bench)
  const shown = [await app.read(`GET /v1/webhooks/${id}`), await app.read('GET /v1/webhooks')]
  const bytes = secret.slice('whsec_'.length)
  expect(JSON.stringify([shown, await storedItems(bench)])).not.toContain(bytes)
})
