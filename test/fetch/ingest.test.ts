/** One mail becomes one message in its thread; what cannot be parsed is told with the reason, its bytes kept. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { inboundId, mailIdentity } from '../../functions/fetch/identity.ts'
import { ingest } from '../../functions/fetch/ingest.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench, storedObjects, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel
let uid = 0

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
})

async function arrive(
  raw: string | Uint8Array,
  changes: { channel?: Channel; uid?: number; isRenumbered?: boolean; gmailThreadId?: string } = {},
) {
  const bytes = typeof raw === 'string' ? Buffer.from(raw.replace(/\n/g, '\r\n')) : raw
  const mail = {
    uid: changes.uid ?? ++uid,
    receivedAt: new Date('2026-11-24T10:00:00Z'),
    raw: bytes,
    sizeBytes: bytes.byteLength,
    omittedBytes: 0,
    gmailId: null,
    gmailThreadId: changes.gmailThreadId ?? null,
  }
  const arrival = {
    channel,
    folder: 'INBOX',
    uidValidity: '1',
    id: inboundId((changes.channel ?? channel).id, mailIdentity(mail)),
    isRenumbered: false,
    services: bench,
    ...changes,
  }
  const before = new Set((await stored(arrival.channel)).map(({ id }) => id))
  await ingest(mail, arrival)
  return (await stored(arrival.channel)).find(({ id }) => !before.has(id))
}

const stored = async ({ id }: Channel) =>
  (await bench.messages.list({ channelId: id, direction: 'inbound', after: undefined, limit: 100 })).items

const letter = (headers: string) => `From: Casey <customer@outside.example>\n${headers}\n\nHi\n`

test('the event holds the whole message, as an app sees it', async () => {
  const message = await arrive(
    letter('Message-ID: <1@outside.example>\nSubject: Hello\nTo: ada@contoso.example'),
  )
  const [event] = await eventsOf(bench)
  expect(event?.data.message).toMatchObject({
    id: message?.id,
    channelId: channel.id,
    messageId: '<1@outside.example>',
    subject: 'Hello',
    from: [{ address: 'customer@outside.example', name: 'Casey' }],
    text: 'Hi\n',
  })
  expect(JSON.stringify(event?.data)).not.toMatch(/rawKey|contentKey/)
})

test('an answer joins the thread of the mail it answers, by In-Reply-To or by References', async () => {
  const question = await arrive(letter('Message-ID: <q@outside.example>'))
  const byParent = await arrive(letter('Message-ID: <a1@outside.example>\nIn-Reply-To: <q@outside.example>'))
  const byChain = await arrive(
    letter('Message-ID: <a2@outside.example>\nReferences: <q@outside.example> <unknown@x.example>'),
  )
  expect([byParent?.threadId, byChain?.threadId]).toEqual([question?.threadId, question?.threadId])
})

test('an answer to what we sent joins its thread', async () => {
  const document = { to: [{ address: 'customer@outside.example' }], text: 'Hi' }
  const sent = await accept({ channel, idempotencyKey: 'k', document }, bench)
  const answer = await arrive(letter(`Message-ID: <a@outside.example>\nIn-Reply-To: ${sent.messageId}`))
  expect(answer?.threadId).toBe(sent.threadId)
})

test('answers whose common ancestor never arrived are one thread all the same', async () => {
  const one = await arrive(letter('Message-ID: <1@x.example>\nReferences: <lost@x.example>'))
  const two = await arrive(letter('Message-ID: <2@x.example>\nIn-Reply-To: <lost@x.example>'))
  expect(two?.threadId).toBe(one?.threadId)
})

test('an answer that arrives before the mail it answers is of one thread with it', async () => {
  const answer = await arrive(letter('Message-ID: <a@x.example>\nIn-Reply-To: <q@x.example>'))
  const question = await arrive(letter('Message-ID: <q@x.example>'))
  expect(question?.threadId).toBe(answer?.threadId)
})

test('Gmail’s conversation joins what names no ancestor, and no other conversation', async () => {
  const inThread = (id: string, gmailThreadId: string) =>
    arrive(letter(`Message-ID: <${id}@x.example>`), { gmailThreadId })
  const one = await inThread('g1', '1266894439832287888')
  const answer = await inThread('g2', '1266894439832287888')
  const other = await inThread('g3', '1266894439832287889')
  expect(answer?.threadId).toBe(one?.threadId)
  expect(other?.threadId).not.toBe(one?.threadId)
})

test('Exchange’s Thread-Index joins what names no ancestor, and no other conversation', async () => {
  const conversation = (fill: number, answers: number) =>
    Buffer.concat([Buffer.alloc(22, fill), Buffer.alloc(5 * answers, 9)]).toString('base64')
  const indexed = (id: string, index: string) =>
    arrive(letter(`Message-ID: <${id}@x.example>\nThread-Index: ${index}`))
  const one = await indexed('1', conversation(1, 0))
  const answer = await indexed('2', conversation(1, 2))
  const other = await indexed('3', conversation(2, 0))
  expect(answer?.threadId).toBe(one?.threadId)
  expect(other?.threadId).not.toBe(one?.threadId)
})

test.each([
  ['from the mailbox itself', { from: () => channel.email.toUpperCase(), isFromSelf: true }],
  ['from one of its aliases', { from: () => 'Sales@contoso.example', isFromSelf: true }],
  ['from somebody else', { from: () => 'casey@outside.example', isFromSelf: false }],
])('a mail %s says so', async (_what, { from, isFromSelf }) => {
  const withAlias = await addChannel(bench, { aliases: ['sales@contoso.example'] })
  const raw = `From: ${from()}\nMessage-ID: <self@x.example>\n\nHi\n`
  expect(await arrive(raw, { channel: withAlias })).toMatchObject({ isFromSelf })
})

test('mails that refer to nothing are threads of their own', async () => {
  const one = await arrive(letter('Message-ID: <1@x.example>\nSubject: Same'))
  const two = await arrive(letter('Message-ID: <2@x.example>\nSubject: Same'))
  expect(two?.threadId).not.toBe(one?.threadId)
})

test('I6: the same Message-ID in another channel is another thread', async () => {
  const other = await addChannel(bench, { accountId: 'other' })
  const mine = await arrive(letter('Message-ID: <q@x.example>'))
  const theirs = await arrive(letter('Message-ID: <a@x.example>\nIn-Reply-To: <q@x.example>'), {
    channel: other,
  })
  expect(theirs?.threadId).not.toBe(mine?.threadId)
})

test('two mails with the same Message-ID are both told', async () => {
  await arrive(letter('Message-ID: <same@x.example>\nSubject: 1'))
  await arrive(letter('Message-ID: <same@x.example>\nSubject: 2'))
  expect((await eventsOf(bench)).map(({ data }) => data.message?.subject)).toEqual(['1', '2'])
})

test('a stranger who uses the Message-ID of our mail does not take over its thread', async () => {
  const document = { to: [{ address: 'customer@outside.example' }], text: 'Hi' }
  const sent = await accept({ channel, idempotencyKey: 'k', document }, bench)
  await arrive(letter(`Message-ID: ${sent.messageId}\nReferences: <evil@x.example>`))
  expect((await bench.threads.find(channel.id, sent.messageId))?.id).toBe(sent.id)
})

test('a mail without a Message-ID can be answered: it has one of ours', async () => {
  const message = await arrive(letter('Subject: no id'))
  const document = { to: [{ address: 'customer@outside.example' }], text: 'Hi', inReplyTo: message?.id }
  const reply = await accept({ channel, idempotencyKey: 'k', document }, bench)
  expect(reply).toMatchObject({ inReplyTo: message?.messageId, threadId: message?.threadId })
})

test('ingested again after a crash, a mail stays one message and one event', async () => {
  const raw = letter('Message-ID: <1@x.example>')
  await arrive(raw, { uid: 7 })
  await arrive(raw, { uid: 7 })
  expect(await stored(channel)).toHaveLength(1)
  expect(await eventsOf(bench)).toHaveLength(1)
})

test.each([
  ['a header without end', `References: ${'<a@b.example>\n '.repeat(200_000)}\n\nHi\n`],
  [
    'parts without number',
    `Content-Type: multipart/mixed; boundary=b\n\n${'--b\n\nx\n'.repeat(2_000)}--b--\n`,
  ],
])('a mail with %s is told with the reason, and its raw bytes are kept', async (_what, raw) => {
  const message = await arrive(raw)
  expect(message).toMatchObject({
    fault: { code: 'mail_unreadable', actor: 'nobody' },
    subject: '',
    from: [],
  })
  expect((await bench.mail.read(message?.rawKey ?? ''))?.byteLength).toBe(message?.sizeBytes)
  const [event] = await eventsOf(bench)
  expect(event).toMatchObject({
    type: 'message.received',
    data: { message: { id: message?.id, fault: { code: 'mail_unreadable' } } },
  })
})

test('attachments are stored one by one and listed without their place', async () => {
  const message = await arrive(
    letter('Content-Type: multipart/mixed; boundary=b').replace(
      '\n\nHi',
      '\n\n--b\n\nHi\n--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=a.png\n\nPNG\n--b--',
    ),
  )
  const { attachments } = await bench.messages.readContent(message?.contentKey ?? '')
  expect(attachments).toMatchObject([{ filename: 'a.png', contentType: 'image/png' }])
  expect(Buffer.from((await bench.mail.read(attachments[0]?.key ?? '')) ?? []).toString()).toContain('PNG')
  expect(await storedObjects(bench)).toHaveLength(3)
})

test('a text too long for an event is left out of it, and is with the message', async () => {
  const message = await arrive(`${letter('Subject: long')}${'long text\n'.repeat(25_000)}`)
  const [event] = await eventsOf(bench)
  expect(event?.data.message).toMatchObject({ text: null, truncated: ['text', 'reply'] })
  expect(String(event?.data.message?.reply).length).toBeGreaterThan(100_000)
  expect((await bench.messages.readContent(message?.contentKey ?? '')).text?.length).toBeGreaterThan(240_000)
})

test('I7: a mail with very many attachments can be told', async () => {
  const part = (i: number) => `--b\nContent-Disposition: attachment; filename="${'n'.repeat(240)}${i}"\n\nx\n`
  const parts = Array.from({ length: 900 }, (_, i) => part(i)).join('')
  await arrive(`Content-Type: multipart/mixed; boundary=b\nSubject: many\n\n${parts}--b--\n`)
  const published = bench.stores.calls.filter(({ service }) => service === 'sns')
  // SNS takes 256 KB.
  for (const { input } of published) expect(Buffer.byteLength(JSON.stringify(input))).toBeLessThan(256 * 1024)
})
