/** Accepting a message: once per key, refused without a trace, threaded, within its times. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import {
  addChannel,
  openWorkbench,
  storedItems,
  storedObjects,
  type Workbench,
} from '../support/workbench.ts'

const engines = useEngines()
const customer = { address: 'customer@outside.example' }
const document = { to: [customer], subject: 'Hello', text: 'Hi' }
const hourMs = 3600_000

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ limits: { smtpConnections: 3, messagesPerMinute: 30, messageBytes: 20_000 } }),
  })
  channel = await addChannel(bench)
})

let keys = 0
const send = (changes: object = {}, to = channel, idempotencyKey: unknown = `key-${++keys}`) =>
  accept({ channel: to, idempotencyKey, document: { ...document, ...changes } }, bench)
const inHours = (hours: number) => new Date(bench.now() + hours * hourMs).toISOString()
const rawOf = async ({ rawKey }: { rawKey: string }) =>
  Buffer.from((await bench.mail.read(rawKey)) ?? []).toString()
/** Rows of messages, of the outbox and of threads. */
const rows = async () =>
  (await storedItems(bench)).filter(item => /^(MESSAGE|OUTBOX)#|^MESSAGE_ID#/m.test(`${item.pk}\n${item.sk}`))

test('an accepted message is stored, frozen and in the outbox', async () => {
  const message = await send()
  expect(await bench.messages.get(message.id)).toEqual(message)
  expect(message).toMatchObject({ state: 'queued', attempt: 0, from: [{ address: channel.email }] })
  expect(await rawOf(message)).toContain(`Message-ID: ${message.messageId}`)
  expect((await bench.outbox.rows(channel.id, 10)).map(row => row.id)).toEqual([message.id])
})

test('the same key with the same document is the same message', async () => {
  const first = await send({}, channel, 'once')
  bench.clock.advance(60_000)
  expect(await send({}, channel, 'once')).toEqual(first)
  expect(await bench.outbox.rows(channel.id, 10)).toHaveLength(1)
})

test('the order of a document’s fields does not make it another', async () => {
  const first = await send({}, channel, 'once')
  const reordered = { text: 'Hi', subject: 'Hello', to: [customer], cc: [] }
  expect((await accept({ channel, idempotencyKey: 'once', document: reordered }, bench)).id).toBe(first.id)
})

test('the same key with the same document at the same time is the same message', async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => send({}, channel, 'once')))
  for (const answer of answers) expect(answer).toEqual(answers[0])
  expect((await rows()).filter(item => item.sk === 'MESSAGE')).toHaveLength(1)
})

test('the same key with another document is a conflict, also at the same time', async () => {
  await send({}, channel, 'once')
  const error = await thrownBy(() => send({ text: 'Other' }, channel, 'once'))
  expect(error).toMatchObject({ code: 'idempotency_conflict', errors: [{ field: 'Idempotency-Key' }] })
  const racing = await Promise.allSettled([
    send({}, channel, 'race'),
    send({ text: 'Other' }, channel, 'race'),
  ])
  expect(racing.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
})

test('the same key in another channel is another message', async () => {
  const other = await addChannel(bench)
  expect((await send({}, other, 'once')).id).not.toBe((await send({}, channel, 'once')).id)
})

test.each<[string, object, string, string | undefined]>([
  ['a document that breaks a rule', { to: [{ address: 'no address' }] }, 'request_invalid', 'to.0.address'],
  ['a foreign From', { from: { address: 'boss@contoso.example' } }, 'request_invalid', 'from.address'],
  ['an unknown parent', { inReplyTo: 'msg_unknown' }, 'request_invalid', 'inReplyTo'],
  [
    'a parent that only looks like a Message-ID',
    { inReplyTo: '<a@b> <c@d>' },
    'request_invalid',
    'inReplyTo',
  ],
  ['too many bytes', { text: 'ä'.repeat(20_000) }, 'message_too_large', 'body'],
  [
    'an attachment that is too large once encoded',
    { attachments: [{ filename: 'a', contentType: 'a/b', content: 'A'.repeat(20_000) }] },
    'message_too_large',
    'attachments',
  ],
])('%s is refused and leaves nothing behind', async (_what, changes, code, field) => {
  const error = await thrownBy(() => send(changes))
  expect(error.code).toBe(code)
  expect(error.errors.map(fault => fault.field)).toEqual([field])
  expect(await rows()).toEqual([])
  expect(await storedObjects(bench)).toEqual([])
})

test('a message without an Idempotency-Key is refused and leaves nothing behind', async () => {
  const error = await thrownBy(() => accept({ channel, idempotencyKey: undefined, document }, bench))
  expect(error.code).toBe('idempotency_key_missing')
  expect(await rows()).toEqual([])
})

test('a disconnected channel takes no new message, and still knows its old ones', async () => {
  const message = await send({}, channel, 'before')
  const disconnected = { ...channel, disconnectedAt: inHours(0) }
  expect((await send({}, disconnected, 'before')).id).toBe(message.id)
  expect((await thrownBy(() => send({}, disconnected))).code).toBe('channel_disconnected')
})

test('a channel that needs a reconnect still takes messages', async () => {
  const auth = { state: 'reconnect_required' as const, fault: null, since: inHours(0) }
  expect((await send({}, { ...channel, auth })).state).toBe('queued')
})

test('the own address in another spelling is sent as it is stored, a shared mailbox as itself', async () => {
  const own = await send({ from: { address: 'ADA@contoso.example', name: 'Support' } })
  expect(own.from).toEqual([{ address: 'ada@contoso.example', name: 'Support' }])
  const shared = await addChannel(bench, { sharedMailbox: 'desk@contoso.example' })
  expect((await send({}, shared)).from[0]?.address).toBe('desk@contoso.example')
  expect((await thrownBy(() => send({ from: { address: shared.email } }, shared))).code).toBe(
    'request_invalid',
  )
})

test('a message lives three days from when it may be sent, unless it says otherwise', async () => {
  const plain = await send()
  expect(Date.parse(plain.expiresAt) - Date.parse(plain.acceptedAt)).toBe(72 * hourMs)
  const later = await send({ sendAt: inHours(5) })
  expect(Date.parse(later.expiresAt) - Date.parse(later.sendAt ?? '')).toBe(72 * hourMs)
  const own = await send({ sendAt: inHours(5), expiresAt: inHours(6) })
  expect(own.expiresAt > (own.sendAt ?? '')).toBe(true)
})

test('times with any offset are kept in UTC', async () => {
  expect(
    (await send({ sendAt: '2999-01-01T00:30:00+02:00', expiresAt: '2999-01-02T00:00:00Z' })).sendAt,
  ).toBe('2998-12-31T22:30:00.000Z')
})

test.each<[string, () => object]>([
  ['before now', () => ({ expiresAt: inHours(-1) })],
  ['before sendAt', () => ({ sendAt: inHours(5), expiresAt: inHours(4) })],
  ['before now and after a sendAt that is past', () => ({ sendAt: inHours(-2), expiresAt: inHours(-1) })],
])('a message that expires %s is refused', async (_when, times) => {
  const error = await thrownBy(() => send(times()))
  expect(error.errors).toEqual([
    expect.objectContaining({ field: 'expiresAt', rule: 'must be after now and after sendAt' }),
  ])
})

test('a sendAt long past means now: the message does not expire unsent', async () => {
  const message = await send({ sendAt: inHours(-100) })
  expect(message.expiresAt > inHours(0)).toBe(true)
})

test('a message of another channel is no parent', async () => {
  const foreign = await send({}, await addChannel(bench, { accountId: 'other' }))
  expect((await thrownBy(() => send({ inReplyTo: foreign.id }))).errors[0]).toMatchObject({
    field: 'inReplyTo',
    found: foreign.id,
  })
})

test('a reply carries the whole chain, from the root to its parent', async () => {
  const root = await send()
  const second = await send({ inReplyTo: root.id })
  const third = await send({ inReplyTo: second.messageId })
  expect(third).toMatchObject({
    inReplyTo: second.messageId,
    references: [root.messageId, second.messageId],
    threadId: root.threadId,
  })
  expect((await rawOf(third)).replace(/\r\n\s+/g, ' ')).toContain(
    `References: ${root.messageId} ${second.messageId}`,
  )
})

test('a chain is kept to 50: the root and the nearest ancestors', async () => {
  const ids = Array.from({ length: 80 }, (_, i) => `<ancestor-${i}@outside.example>`)
  const parent = {
    threadId: 'th_1',
    id: 'msg_parent',
    messageId: '<parent@outside.example>',
    references: ids,
  }
  await bench.threads.remember(channel.id, parent)
  const { references } = await send({ inReplyTo: parent.messageId })
  expect(references).toHaveLength(50)
  expect(references[0]).toBe(ids[0])
  expect(references.slice(-2)).toEqual([ids[79], parent.messageId])
})

test('a Message-ID nobody knows is answered all the same, and begins a thread', async () => {
  const reply = await send({ inReplyTo: '<unknown@outside.example>' })
  expect(reply).toMatchObject({
    inReplyTo: '<unknown@outside.example>',
    references: ['<unknown@outside.example>'],
  })
  expect((await send({ inReplyTo: reply.id })).threadId).toBe(reply.threadId)
})

test.each([
  ['Re: Re: Broken lamp', 'Re: Broken lamp'],
  ['RE: AW: Re[2]: re:Broken lamp', 'Re: Broken lamp'],
  ['AW: Broken lamp', 'AW: Broken lamp'],
  ['Broken lamp', 'Broken lamp'],
  ['Reservation: two', 'Reservation: two'],
])('the subject of an answer, %j, is sent as %j', async (subject, expected) => {
  const message = await send({ subject, inReplyTo: '<question@outside.example>' })
  expect(message.subject).toBe(expected)
  expect(await rawOf(message)).toContain(`\r\nSubject: ${expected}\r\n`)
})

test('a subject that answers nothing is left as it is', async () => {
  expect((await send({ subject: 'Re: Re: Broken lamp' })).subject).toBe('Re: Re: Broken lamp')
})

test('References stay within sane bytes and lines, and keep the root and the nearest', async () => {
  const ids = Array.from({ length: 30 }, (_, i) => `<${String(i).padStart(600, '0')}@outside.example>`)
  const last = `<last@outside.example>`
  await bench.threads.remember(channel.id, {
    threadId: 'th_1',
    id: 'msg_1',
    messageId: last,
    references: ids,
  })
  const message = await send({ inReplyTo: last })
  expect(message.references[0]).toBe(ids[0])
  expect(message.references.slice(-2)).toEqual([ids.at(-1), last])
  expect(message.references.join(' ').length).toBeLessThanOrEqual(8_000)
  const [header = ''] = (await rawOf(message)).split('\r\n\r\n')
  for (const line of header.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
})

test('a picture that the HTML shows is told from a file, as in mails that are received', async () => {
  const file = { filename: 'a.png', contentType: 'image/png', content: 'iVBO' }
  const message = await send({
    html: '<img src="cid:logo">',
    attachments: [file, { ...file, contentId: 'logo' }],
  })
  expect((await bench.messages.readContent(message.contentKey)).attachments).toMatchObject([
    { contentId: null, disposition: 'attachment' },
    { contentId: 'logo', disposition: 'inline' },
  ])
})

test('a domain beyond ASCII goes out as A-labels', async () => {
  const message = await send({ to: [{ address: 'Ada@bücher.example', name: 'Ada' }] })
  expect(message.to).toEqual([{ address: 'Ada@xn--bcher-kva.example', name: 'Ada' }])
  expect(await rawOf(message)).toContain('Ada@xn--bcher-kva.example')
})

test.each(['bücher@outside.example', 'ada@１２７.０.０.１', 'ada@b\u00adü%41..example'])(
  'the address %j is refused, with its field',
  async address => {
    const error = await thrownBy(() => send({ to: [{ address }] }))
    expect(error).toMatchObject({ code: 'request_invalid', errors: [{ field: 'to.0.address' }] })
    expect(await rows()).toEqual([])
  },
)
