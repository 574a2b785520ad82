/** Calls about messages: accepted, read, downloaded, cancelled, retried. */

import { beforeEach, describe, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { describeFault, PostroomError } from '../../functions/channel/faults.ts'
import { type ApiCaller, addReceived, apiCaller } from '../support/api-caller.ts'
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

test('a message is accepted with 202, rung for, and can be read', async () => {
  const answer = await app.send(channel)
  expect(answer.statusCode).toBe(202)
  const { id, state, channelId } = jsonOf(answer)
  expect({ state, channelId }).toEqual({ state: 'queued', channelId: channel.id })
  expect(bench.queues.rings).toEqual([channel.id])
  const shown = await app.read(`GET /v1/messages/${id}`)
  expect(shown).toMatchObject({ id, subject: 'Hello', text: 'Hi', direction: 'outbound' })
})

test('a doorbell that cannot be rung refuses nothing: the message is stored', async () => {
  bench.queues.ring = async () => {
    throw new Error('SQS is down')
  }
  const answer = await app.send(channel)
  expect(answer.statusCode).toBe(202)
  expect((await bench.messages.get(jsonOf(answer).id)).state).toBe('queued')
})

test('what an app sees of a message and a channel holds nothing of ours', async () => {
  const { id } = jsonOf(await app.send(channel))
  const shown = [await app.read(`GET /v1/messages/${id}`), await app.read(`GET /v1/channels/${channel.id}`)]
  expect(JSON.stringify(shown)).not.toMatch(
    /rawKey|contentKey|documentHash|grantId|clientId|identity|unannounced|"pk"|listPk/,
  )
})

test('the raw bytes are a download that no browser runs', async () => {
  const { id } = jsonOf(await app.send(channel))
  const answer = await app.call(`GET /v1/messages/${id}/raw`)
  expect(answer).toMatchObject({ statusCode: 200, isBase64Encoded: true })
  const expected = { 'content-type': 'message/rfc822', 'x-content-type-options': 'nosniff' }
  expect(answer.headers).toMatchObject(expected)
  expect(answer.headers?.['content-disposition']).toMatch(/^attachment;/)
  expect(Buffer.from(answer.body ?? '', 'base64').toString()).toContain('Subject: Hello')
})

test('an attachment comes as bytes without a type, under a name that cannot break its header', async () => {
  const attachments = [{ filename: `ä"; x='(1)*.html`, contentType: 'text/html', content: 'aGk=' }]
  const { id } = jsonOf(await app.send(channel, { attachments }))
  const answer = await app.call(`GET /v1/messages/${id}/attachments/0`)
  const expected = { 'content-type': 'application/octet-stream', 'x-content-type-options': 'nosniff' }
  expect(answer.headers).toMatchObject(expected)
  expect(answer.headers?.['content-disposition']).toMatch(/^attachment; filename\*=UTF-8''[\w%.~!-]+$/)
  expect(Buffer.from(answer.body ?? '', 'base64').toString()).toBe('hi')
})

test.each(['1', '-1', '0x0', 'a', '99999', '0%20'])('there is no attachment %j of one', async index => {
  const attachments = [{ filename: 'a.txt', contentType: 'text/plain', content: 'aGk=' }]
  const { id } = jsonOf(await app.send(channel, { attachments }))
  const problem = problemOf(await app.call(`GET /v1/messages/${id}/attachments/${index}`))
  expect(problem).toMatchObject({ status: 404, code: 'attachment_not_found', errors: [{ field: 'index' }] })
})

test('a queued message can be cancelled, once; a cancelled one not retried', async () => {
  const { id } = jsonOf(await app.send(channel))
  expect(await app.read(`DELETE /v1/messages/${id}`)).toMatchObject({ id, state: 'cancelled' })
  expect(problemOf(await app.call(`DELETE /v1/messages/${id}`))).toMatchObject({
    status: 409,
    code: 'message_not_cancellable',
    errors: [{ field: 'state', found: 'cancelled' }],
  })
  const retry = problemOf(await app.call(`POST /v1/messages/${id}/retry`))
  expect(retry).toMatchObject({ status: 409, code: 'message_not_retryable' })
})

test.each(['failed', 'uncertain', 'expired'] as const)(
  'a message that is %s can be retried, has time again, and is rung for',
  async state => {
    const { id } = jsonOf(await app.send(channel))
    await bench.messages.change(id, { state, expiresAt: new Date(bench.now() - 1).toISOString() })
    const answer = await app.call(`POST /v1/messages/${id}/retry`)
    expect(answer.statusCode).toBe(202)
    const { expiresAt, ...message } = jsonOf(answer)
    expect(message).toMatchObject({ id, state: 'queued', fault: null })
    expect(Date.parse(expiresAt)).toBeGreaterThan(bench.now())
    expect(bench.queues.rings).toHaveLength(2)
  },
)

test('a scheduled message that is retried leaves now; asked for twice, it is the same', async () => {
  const sendAt = new Date(bench.now() + 3_600_000).toISOString()
  const { id } = jsonOf(await app.send(channel, { sendAt }))
  for (let times = 0; times < 2; times++) {
    const answer = await app.call(`POST /v1/messages/${id}/retry`)
    expect(answer.statusCode).toBe(202)
    expect(jsonOf(answer)).toMatchObject({ state: 'queued', sendAt: null })
  }
  const [row] = await bench.outbox.rows(channel.id, 10)
  expect(row).toMatchObject({ id })
  expect(Date.parse(row?.dueAt ?? '')).toBeLessThanOrEqual(bench.now())
  expect(bench.queues.rings).toHaveLength(3)
})

describe('a parked message that is retried', () => {
  async function park(auth: Channel['auth']['state']) {
    const broken = await addChannel(bench, {
      auth: { state: auth, fault: describeFault(new PostroomError('grant_revoked')), since: '' },
    })
    const { id } = jsonOf(await app.send(broken))
    await bench.messages.change(id, { state: 'parked' })
    return id
  }

  test('leaves, if its channel works again', async () => {
    const answer = await app.call(`POST /v1/messages/${await park('connected')}/retry`)
    expect(answer.statusCode).toBe(202)
    expect(jsonOf(answer)).toMatchObject({ state: 'queued', fault: null })
  })

  test('stays parked while its channel does not, and the answer says what is in the way', async () => {
    const id = await park('reconnect_required')
    expect(problemOf(await app.call(`POST /v1/messages/${id}/retry`))).toMatchObject({
      status: 409,
      code: 'channel_not_usable',
      errors: [
        {
          field: 'channel.auth.state',
          rule: expect.stringContaining('reconnect'),
          found: expect.stringContaining('reconnect_required (grant_revoked: '),
        },
      ],
    })
    expect((await bench.messages.get(id)).state).toBe('parked')
  })
})

test('nothing is sent again by a channel that was disconnected', async () => {
  const { id } = jsonOf(await app.send(channel))
  await bench.messages.change(id, { state: 'failed' })
  await bench.channels.change(channel.id, { disconnectedAt: new Date(bench.now()).toISOString() })
  const problem = problemOf(await app.call(`POST /v1/messages/${id}/retry`))
  expect(problem).toMatchObject({ status: 409, code: 'channel_disconnected' })
})

test.each(['sending', 'sent', 'cancelled'] as const)(
  'a message that is %s cannot be retried',
  async state => {
    const { id } = jsonOf(await app.send(channel))
    await bench.messages.change(id, { state })
    const problem = problemOf(await app.call(`POST /v1/messages/${id}/retry`))
    expect(problem).toMatchObject({ status: 409, code: 'message_not_retryable', errors: [{ found: state }] })
  },
)

test.each(['sending', 'sent', 'failed'] as const)('a message that is %s cannot be cancelled', async state => {
  const { id } = jsonOf(await app.send(channel))
  await bench.messages.change(id, { state })
  const problem = problemOf(await app.call(`DELETE /v1/messages/${id}`))
  expect(problem).toMatchObject({ status: 409, code: 'message_not_cancellable', errors: [{ found: state }] })
})

test('a received message can be neither cancelled nor retried', async () => {
  const { id } = await addReceived(bench, channel, 'in')
  for (const name of [`DELETE /v1/messages/${id}`, `POST /v1/messages/${id}/retry`]) {
    expect(problemOf(await app.call(name))).toMatchObject({ status: 404, code: 'message_not_found' })
  }
})

test('a poll is asked for', async () => {
  expect((await app.call(`POST /v1/channels/${channel.id}/poll`)).statusCode).toBe(202)
  expect(bench.queues.asked).toEqual([channel.id])
})
