/** Drains that die at the worst moment: nothing is lost, nothing sent twice, nothing told twice. */

import { expect, test } from 'vitest'
import { drain } from '../../functions/send/drain.ts'
import type { AwsCall } from '../support/engines.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const start = () => startSendingChannel(engines)
const minuteMs = 60_000

const published = ({ bench }: SendingChannel) => bench.stores.calls.filter(({ service }) => service === 'sns')

/** The drain meets a failing service, then the next one a well one. */
async function drainThrough(sending: SendingChannel, rule: (call: AwsCall) => boolean): Promise<void> {
  sending.bench.stores.failWhen(rule)
  await sending.drain().catch(() => undefined)
  sending.bench.stores.failWhen(() => false)
  sending.bench.clock.advance(2 * minuteMs)
  await sending.drain()
}

test('a body that was leaving when the drain died makes the message uncertain, and it is not sent again', async () => {
  const sending = await start()
  const message = await sending.accept('Half')
  await sending.bench.messages.change(message.id, { state: 'sending', attempt: 1 })
  await sending.drain()
  await sending.drain()
  expect(sending.subjects()).toEqual([])
  expect(await sending.latest(message)).toMatchObject({
    state: 'uncertain',
    fault: { code: 'outcome_unknown' },
  })
  expect(await eventTypes(sending.bench)).toEqual(['message.uncertain'])
})

test('a dead drain’s lease holds up its channel for no longer than a minute', async () => {
  const sending = await start()
  await sending.accept('1')
  const lease = { pk: `CHANNEL#${sending.channel.id}`, sk: 'SEND_LEASE' }
  await sending.bench.main.put({ ...lease, holder: 'dead', untilMs: sending.bench.now() + minuteMs, bell: 0 })
  await sending.drain()
  expect(sending.subjects()).toEqual([])
  sending.bench.clock.advance(minuteMs + 1)
  await sending.drain()
  expect(sending.subjects()).toEqual(['1'])
})

test('a drain that lost its lease in mid-mail does not send what the next one has taken over', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  const original = sending.bench.mail.stream
  const services = {
    ...sending.bench,
    mail: {
      ...sending.bench.mail,
      stream: async (key: string) => {
        // Our lease has run out while we read from S3, and the next drain has taken the message.
        await sending.bench.messages.change(message.id, { state: 'sending', attempt: 1, epoch: 9 })
        return original(key)
      },
    },
  }
  await drain(sending.channel.id, { services, deadlineMs: sending.bench.now() + invocationMs }).catch(
    () => undefined,
  )
  expect(sending.subjects()).toEqual([])
  expect(await sending.latest(message)).toMatchObject({ state: 'sending', epoch: 9 })
})

test('what a drain that lost its lease has put off at the last moment is not overtaken by what stands behind it', async () => {
  const sending = await start()
  const first = await sending.accept('1')
  await sending.accept('2')
  const original = sending.bench.mail.stream
  let times = 0
  const services = {
    ...sending.bench,
    mail: {
      ...sending.bench.mail,
      stream: async (key: string) => {
        // It met a broken connection and says so, while we are about to send the same message.
        if (++times === 1) await sending.bench.messages.change(first.id, { state: 'retrying' })
        return original(key)
      },
    },
  }
  await drain(sending.channel.id, { services, deadlineMs: sending.bench.now() + invocationMs })
  expect(sending.subjects()).toEqual(['1', '2'])
})

test('I2: a drain whose connection breaks leaves alone what another drain is sending', async () => {
  const sending = await start()
  await sending.accept('1')
  const taken = await sending.accept('2')
  sending.smtp.script.body = ['drop']
  sending.smtp.beforeAccept = async () => {
    // Our lease has run out, and the next drain's body is just leaving.
    await sending.bench.messages.change(taken.id, { state: 'sending', attempt: 1, epoch: 9 })
  }
  await sending.drain()
  expect(await sending.latest(taken)).toMatchObject({ state: 'sending', epoch: 9 })
})

test('an event that cannot be told when the mail is sent is told later, and the mail stays sent', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  await drainThrough(sending, ({ service }) => service === 'sns')
  expect(sending.subjects()).toEqual(['1'])
  expect((await sending.latest(message)).state).toBe('sent')
  expect(await eventTypes(sending.bench)).toEqual(['message.sent'])
})

test('that a message is parked is told later, once, if it cannot be told when it is parked', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  const { access } = sending.channel
  await sending.bench.channels.change(sending.channel.id, {
    access: { ...access, smtp: { state: 'blocked', fault: null } },
  })
  await drainThrough(sending, ({ service }) => service === 'sns')
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('parked')
  expect(await eventTypes(sending.bench)).toEqual(['message.parked'])
})

test('I8: a failing event topic does not stop the channel’s other mail', async () => {
  const sending = await start()
  await sending.accept('1')
  await sending.accept('2')
  sending.bench.stores.failWhen(({ service }) => service === 'sns')
  await sending.drain().catch(() => undefined)
  expect((await sending.latestChannel()).smtpTrouble).toBeNull()
})

test('an event is told once, though the row could not be cleared and the drain was repeated', async () => {
  const sending = await start()
  await sending.accept('1')
  await drainThrough(sending, ({ command }) => command === 'DeleteItemCommand')
  expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
  expect(await eventTypes(sending.bench)).toEqual(['message.sent'])
  expect(published(sending)).toHaveLength(1)
  expect(sending.subjects()).toEqual(['1'])
})

test('an outcome that cannot be written down leaves the message uncertain, not sent twice', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  let updates = 0
  sending.smtp.beforeAccept = async () => {
    sending.bench.stores.failWhen(({ command }) => command === 'UpdateItemCommand' && ++updates > 0)
  }
  await sending.drain().catch(() => undefined)
  expect(sending.subjects()).toEqual(['1'])
  sending.bench.stores.failWhen(() => false)
  sending.bench.clock.advance(2 * minuteMs)
  await sending.drain()
  expect(sending.subjects()).toEqual(['1'])
  expect((await sending.latest(message)).state).toBe('uncertain')
})

test('frozen bytes that cannot be read for now are sent later', async () => {
  const sending = await start()
  const message = await sending.accept('1')
  await drainThrough(sending, ({ command }) => command === 'GetObjectCommand')
  expect(sending.subjects()).toEqual(['1'])
  expect((await sending.latest(message)).state).toBe('sent')
})

test.each(Array.from({ length: 30 }, (_, call) => call))(
  'I1, I2: a drain that dies at its DynamoDB call no. %i loses nothing and sends nothing twice',
  async dies => {
    const sending = await start()
    const messages = [await sending.accept('1'), await sending.accept('2')]
    let calls = 0
    await drainThrough(sending, ({ service }) => service === 'dynamodb' && calls++ >= dies)
    sending.bench.clock.advance(5 * minuteMs)
    await sending.drain()
    const states = await Promise.all(messages.map(async message => (await sending.latest(message)).state))
    const subjects = sending.subjects()
    expect(new Set(subjects).size).toBe(subjects.length)
    for (const [index, state] of states.entries()) {
      expect(['sent', 'uncertain']).toContain(state)
      if (state === 'sent') expect(subjects).toContain(String(index + 1))
    }
    const types = await eventTypes(sending.bench)
    expect(types).toHaveLength(2)
  },
)
