/** A drain sends what is due, in order, once, over one connection. */

import { describe, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { cancelMessage, retryMessage } from '../../functions/channel/outbox-control.ts'
import { drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { eventsOf, eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const start = () => startSendingChannel(engines)
const minuteMs = 60_000

test('messages leave in the order in which they were accepted, over one connection', async () => {
  const sending = await start()
  const accepted = []
  for (const subject of ['1', '2', '3', '4', '5']) accepted.push(await sending.accept(subject))
  await sending.drain()
  expect(sending.subjects()).toEqual(['1', '2', '3', '4', '5'])
  expect(sending.smtp.connections).toBe(1)
  for (const message of accepted)
    expect(await sending.latest(message)).toMatchObject({ state: 'sent', attempt: 1, fault: null })
  expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
})

test('what leaves is what was frozen, to every recipient once, Bcc in the envelope only', async () => {
  const sending = await start()
  const to = [{ address: 'a@outside.example' }, { address: 'b@outside.example' }]
  const message = await sending.accept('Hello', {
    to,
    cc: [{ address: 'a@outside.example' }],
    bcc: [{ address: 'c@outside.example' }],
  })
  await sending.drain()
  const [mail] = sending.smtp.mails
  expect(mail?.to).toEqual(['a@outside.example', 'b@outside.example', 'c@outside.example'])
  expect(mail?.from).toBe('ada@contoso.example')
  expect(mail?.raw.equals(Buffer.from((await sending.bench.mail.read(message.rawKey)) ?? []))).toBe(true)
})

test('message.sent is told once, with the Message-ID the provider gave', async () => {
  const sending = await start()
  sending.smtp.script.body = ['250 2.0.0 OK <given@TEST.prod.outlook.com> [Hostname=TEST.prod.outlook.com]']
  const message = await sending.accept('Hello')
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({ providerMessageId: '<given@TEST.prod.outlook.com>' })
  const [event, ...more] = await eventsOf(sending.bench)
  expect(more).toEqual([])
  expect(event).toMatchObject({
    type: 'message.sent',
    data: { message: { id: message.id, state: 'sent', text: 'Hi' } },
  })
})

test('recipients that were refused while others were not stand with the sent message', async () => {
  const sending = await start()
  sending.smtp.recipients = { 'b@outside.example': '550 5.1.1 No such user' }
  const message = await sending.accept('Hello', { cc: [{ address: 'b@outside.example' }] })
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({
    state: 'sent',
    rejectedRecipients: [{ address: 'b@outside.example', response: '550 5.1.1 No such user' }],
  })
})

test('an empty outbox costs no connection and no token', async () => {
  const sending = await start()
  await sending.drain()
  expect(sending.smtp.connections).toBe(0)
})

test('a drain for a channel nobody knows does nothing', async () => {
  const { bench } = await start()
  await drain('ch_unknown', { services: bench, deadlineMs: bench.now() + minuteMs })
})

test('two drains at once send each message once', async () => {
  const sending = await start()
  for (const subject of ['1', '2', '3']) await sending.accept(subject)
  await Promise.all([sending.drain(), sending.drain(), sending.drain()])
  expect(sending.subjects()).toEqual(['1', '2', '3'])
})

test('a message accepted while a drain runs is sent by it, if the bell rings', async () => {
  const sending = await start()
  await sending.accept('1')
  sending.smtp.beforeAccept = async () => {
    sending.smtp.beforeAccept = async () => {}
    await sending.accept('2')
    await sending.drain()
  }
  await sending.drain()
  expect(sending.subjects()).toEqual(['1', '2'])
})

test('one message accepted twice at once is sent once', async () => {
  const { bench, channel, drain: drainNow, subjects } = await start()
  const document = { to: [{ address: 'customer@outside.example' }], subject: 'Once', text: 'Hi' }
  await Promise.all([1, 2, 3].map(() => accept({ channel, idempotencyKey: 'once', document }, bench)))
  await drainNow()
  await drainNow()
  expect(subjects()).toEqual(['Once'])
  expect(await bench.outbox.rows(channel.id, 10)).toEqual([])
  expect(await eventTypes(bench)).toEqual(['message.sent'])
})

test('no delivery begins with less than a minute left', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  await drain(sending.channel.id, { services: sending.bench, deadlineMs: sending.bench.now() + 50_000 })
  expect(sending.subjects()).toEqual([])
  expect((await sending.latest(message)).state).toBe('queued')
})

describe('time', () => {
  test('a message is not sent before its sendAt', async () => {
    const sending = await start()
    const message = await sending.accept('Later', {
      sendAt: new Date(sending.bench.now() + 10 * minuteMs).toISOString(),
    })
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('queued')
    sending.bench.clock.advance(11 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual(['Later'])
  })

  test('a scheduled message that somebody sends now leaves now, and not a second time at its sendAt', async () => {
    const sending = await start()
    const sendAt = new Date(sending.bench.now() + 10 * minuteMs).toISOString()
    const message = await sending.accept('Now', { sendAt })
    await retryMessage(message.id, sending.bench)
    await sending.drain()
    sending.bench.clock.advance(11 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual(['Now'])
  })

  test('messages for later do not hold up what is due, however many they are', async () => {
    const sending = await start()
    const sendAt = new Date(sending.bench.now() + 24 * 60 * minuteMs).toISOString()
    for (let i = 0; i < 50; i++) await sending.accept(`later ${i}`, { sendAt })
    await sending.accept('now')
    await sending.drain()
    expect(sending.subjects()).toEqual(['now'])
  })

  test('a message past its time expires unsent, and message.failed tells it', async () => {
    const sending = await start()
    const message = await sending.accept('Late', {
      expiresAt: new Date(sending.bench.now() + minuteMs).toISOString(),
    })
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual([])
    expect(await sending.latest(message)).toMatchObject({
      state: 'expired',
      fault: { code: 'message_expired' },
    })
    expect(await eventTypes(sending.bench)).toEqual(['message.failed'])
    expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
  })
})

describe('what the app decides', () => {
  test('a cancelled message is never sent', async () => {
    const sending = await start()
    const message = await sending.accept('No')
    await cancelMessage(message.id, sending.bench)
    await sending.drain()
    expect(sending.subjects()).toEqual([])
    expect((await sending.latest(message)).state).toBe('cancelled')
    expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
  })

  test('of a cancel and a drain at once, one wins', async () => {
    const sending = await start()
    const message = await sending.accept('Maybe')
    const [cancel] = await Promise.allSettled([cancelMessage(message.id, sending.bench), sending.drain()])
    const wasCancelled = cancel.status === 'fulfilled'
    expect((await sending.latest(message)).state).toBe(wasCancelled ? 'cancelled' : 'sent')
    expect(sending.subjects()).toEqual(wasCancelled ? [] : ['Maybe'])
  })

  test('a failed message that is retried is sent, and both are told', async () => {
    const sending = await start()
    sending.smtp.script.body = ['550 5.7.1 Spam']
    const message = await sending.accept('Again')
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('failed')
    await retryMessage(message.id, sending.bench)
    await sending.drain()
    expect(await sending.latest(message)).toMatchObject({ state: 'sent', attempt: 2 })
    expect(await eventTypes(sending.bench)).toEqual(['message.failed', 'message.sent'])
  })
})

describe('pointers without a message', () => {
  test('a young one is left alone: its message may still come', async () => {
    const sending = await start()
    const message = await sending.accept('x')
    await sending.bench.main.remove({ pk: `MESSAGE#${message.id}`, sk: 'MESSAGE' })
    sending.bench.clock.advance(4 * minuteMs)
    await sending.drain()
    expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toHaveLength(1)
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
  })
})
