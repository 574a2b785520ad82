/** A stored mail parsed once more: the same message and event, read better. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { InboundMessage } from '../../functions/channel/messages.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { ingest } from '../../functions/fetch/ingest.ts'
import { openParser } from '../../functions/fetch/parser.ts'
import { apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { problemOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
})

async function arrive(text: string, changes: { parser?: Workbench['parser']; omittedBytes?: number } = {}) {
  const { parser = bench.parser, omittedBytes = 0 } = changes
  const raw = Buffer.from(text.replace(/\n/g, '\r\n'))
  const mail = {
    uid: 1,
    receivedAt: new Date(bench.now()),
    sizeBytes: 1,
    gmailId: null,
    gmailThreadId: null,
    raw,
    omittedBytes,
  }
  const place = { channel, folder: 'INBOX', uidValidity: '1', id: 'msg_in', isRenumbered: false }
  await ingest(mail, { ...place, services: { ...bench, parser } })
  return received()
}

async function received(): Promise<InboundMessage> {
  const message = await bench.messages.get('msg_in')
  if (message.direction === 'inbound') return message
  throw new Error('It was sent')
}

/** As fetch does it when the queue brings the wish. */
async function reparse(id = 'msg_in') {
  expect((await apiCaller(bench).call(`POST /v1/messages/${id}/reparse`)).statusCode).toBe(202)
  const body = JSON.stringify({ reparse: { messageId: bench.queues.reparses.at(-1) } })
  await answerRecord(body, { services: bench, deadlineMs: Number.POSITIVE_INFINITY })
}

const answer = (sent: { messageId: string }) =>
  `From: casey@outside.example\nSubject: Re: Order\nMessage-ID: <a@outside.example>\nIn-Reply-To: ${sent.messageId}\n\nThanks\n`

const send = () => {
  const document = { to: [{ address: 'casey@outside.example' }], text: 'It left.' }
  return accept({ channel, idempotencyKey: 'k', document }, bench)
}

test('a mail that could not be read is read, finds its thread, and stays the same message and event', async () => {
  const sent = await send()
  const impatient = openParser({ timeMs: 0, heapMegabytes: 160 })
  const before = await arrive(answer(sent), { parser: impatient })
  await impatient.close()
  expect(before).toMatchObject({ fault: { code: 'mail_unreadable' }, subject: '', from: [] })
  expect(before.threadId).not.toBe(sent.threadId)

  await reparse()
  expect(await received()).toMatchObject({
    ...{ id: before.id, fault: null, subject: 'Re: Order', messageId: '<a@outside.example>' },
    ...{ threadId: sent.threadId, receivedAt: before.receivedAt, rawKey: before.rawKey },
  })
  expect((await bench.messages.readContent(before.contentKey)).text).toBe('Thanks\n')
  expect((await eventsOf(bench)).filter(({ type }) => type === 'message.received')).toHaveLength(1)
})

test('parsing anew what was read well changes nothing', async () => {
  const before = await arrive(answer(await send()))
  const content = await bench.messages.readContent(before.contentKey)
  await reparse()
  expect(await received()).toEqual(before)
  expect(await bench.messages.readContent(before.contentKey)).toEqual(content)
})

test('of a mail too large to be taken in there is still only the beginning', async () => {
  const before = await arrive(answer(await send()), { omittedBytes: 40_000_000 })
  expect(before).toMatchObject({ fault: { code: 'mail_too_large' }, subject: 'Re: Order' })
  await reparse()
  expect(await received()).toEqual(before)
})

test('a sent message cannot be parsed, and an unknown one is not found', async () => {
  const { id } = await send()
  const app = apiCaller(bench)
  expect(problemOf(await app.call(`POST /v1/messages/${id}/reparse`))).toMatchObject({
    ...{ status: 409, code: 'message_not_parsable' },
    errors: [{ field: 'direction', rule: 'must be inbound', found: 'outbound' }],
  })
  expect(problemOf(await app.call('POST /v1/messages/msg_nothing/reparse')).code).toBe('message_not_found')
})

test('a wish that outlived its message is dropped', async () => {
  const body = JSON.stringify({ reparse: { messageId: 'msg_gone' } })
  await answerRecord(body, { services: bench, deadlineMs: Number.POSITIVE_INFINITY })
})
