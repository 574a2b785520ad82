/** What becomes of messages and channel for every way in which sending can fail. */

import { expect, test } from 'vitest'
import { connectionOf } from '../../functions/channel/channel-health.ts'
import { presentChannel } from '../../functions/channel/channels.ts'
import { openSmtp } from '../../functions/channel/smtp.ts'
import { type DrainServices, drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import type { SmtpAnswer, SmtpStage } from '../support/scripted-smtp.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { addChannel, eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const start = () => startSendingChannel(engines)
const minuteMs = 60_000
/** Far below the time-outs of smtp.ts: who has not ended by then hangs. */
const promptMs = 5_000

test(
  'a mail the server refuses for good has failed, and the next one is sent',
  async () => {
    const sending = await start()
    sending.smtp.script.body = ['554 5.2.252 SendAsDenied']
    const [bad, good] = [await sending.accept('bad'), await sending.accept('good')]
    await sending.drain()
    expect(await sending.latest(bad)).toMatchObject({
      state: 'failed',
      fault: { code: 'send_as_denied', actor: 'tenant_admin', evidence: '554 5.2.252 SendAsDenied' },
    })
    expect((await sending.latest(good)).state).toBe('sent')
    expect((await eventTypes(sending.bench)).sort()).toEqual(['message.failed', 'message.sent'])
  },
  promptMs,
)

test(
  'a mail whose every recipient is refused has failed',
  async () => {
    const sending = await start()
    sending.smtp.always.rcpt = '550 5.1.1 No such user'
    const message = await sending.accept('nobody')
    await sending.drain()
    expect(await sending.latest(message)).toMatchObject({
      state: 'failed',
      fault: { code: 'smtp_recipients_refused' },
    })
  },
  promptMs,
)

test.each<[string, SmtpStage, SmtpAnswer]>([
  ['refuses a mail in the middle of its body', 'midBody', '451 4.7.0 Try again'],
  ['refuses a mail for good in the middle of its body', 'midBody', '550 5.7.1 Spam'],
  ['hangs up when it has refused a mail', 'body', { reply: '451 4.7.0 Try again', thenDrop: true }],
  ['hangs up when it has taken a mail', 'body', { reply: '250 2.0.0 OK', thenDrop: true }],
])(
  'where a server %s, the next mail is handed over once, over a new connection',
  async (_what, at, answer) => {
    const sending = await start()
    let handedOver = 0
    const services: DrainServices = {
      ...sending.bench,
      async openSmtp(login) {
        const session = await openSmtp(login)
        return {
          ...session,
          async send(...mail) {
            handedOver += 1
            return session.send(...mail)
          },
        }
      },
    }
    sending.smtp.script[at] = [answer]
    await sending.accept('first', { text: 'a line\n'.repeat(20_000) })
    const next = await sending.accept('next')
    const deadlineMs = sending.bench.now() + invocationMs
    await drain(sending.channel.id, { services, deadlineMs })
    expect((await sending.latest(next)).state).toBe('sent')
    expect(sending.subjects().at(-1)).toBe('next')
    expect([handedOver, sending.smtp.connections]).toEqual([2, 2])
  },
)

test(
  'a mail the server refuses for now is tried again later, and the next one is sent now',
  async () => {
    const sending = await start()
    sending.smtp.script.body = ['451 4.7.0 Try again']
    const [slow, quick] = [await sending.accept('slow'), await sending.accept('quick')]
    await sending.drain()
    expect(await sending.latest(slow)).toMatchObject({
      state: 'retrying',
      attempt: 1,
      fault: { code: 'smtp_temporary' },
    })
    expect((await sending.latest(quick)).state).toBe('sent')
    await sending.drain()
    expect(sending.subjects()).toEqual(['quick'])
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual(['quick', 'slow'])
  },
  promptMs,
)

test(
  'a connection lost after the final dot leaves the mail uncertain, and it is never sent again',
  async () => {
    const sending = await start()
    sending.smtp.script.body = ['drop']
    const [first, second] = [await sending.accept('first'), await sending.accept('second')]
    await sending.drain()
    expect(await sending.latest(first)).toMatchObject({
      state: 'uncertain',
      fault: { code: 'outcome_unknown' },
    })
    sending.bench.clock.advance(5 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual(['second'])
    expect((await sending.latest(second)).state).toBe('sent')
    expect(await eventTypes(sending.bench)).toEqual(['message.uncertain', 'message.sent'])
  },
  promptMs,
)

test(
  'a mail refused for a reason nobody knows is tried once more, then it has failed',
  async () => {
    const sending = await start()
    sending.smtp.always.body = '554 5.9.9 No'
    const message = await sending.accept('unclear')
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('retrying')
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect(await sending.latest(message)).toMatchObject({ state: 'failed', attempt: 2 })
  },
  promptMs,
)

test('a full mailbox sends nothing: its mail parks for the owner', async () => {
  const sending = await start()
  sending.smtp.always.body = '554 5.2.2 mailbox full; QuotaExceeded'
  const message = await sending.accept('full')
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({
    state: 'parked',
    fault: { code: 'sender_mailbox_full' },
  })
})

test('a 5xx that is really a limit waits, burns no attempt, and slows the channel', async () => {
  const sending = await start()
  sending.smtp.script.body = ['554 5.2.0 STOREDRV; SubmissionQuotaExceeded']
  const message = await sending.accept('limit')
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({
    state: 'retrying',
    attempt: 0,
    fault: { code: 'sending_limit_reached' },
  })
  sending.bench.clock.advance(3 * 60 * minuteMs)
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('sent')
})

test.each(['mail', 'rcpt', 'data'] as const)(
  'a connection lost at %s loses nothing: all is sent later, in order',
  async stage => {
    const sending = await start()
    sending.smtp.script[stage] = ['drop']
    const [first, second] = [await sending.accept('first'), await sending.accept('second')]
    await sending.drain()
    for (const message of [first, second]) expect((await sending.latest(message)).state).toBe('retrying')
    expect(connectionOf(await sending.latestChannel())).toMatchObject({
      state: 'backing_off',
      fault: { code: 'smtp_unreachable' },
    })
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect(sending.subjects()).toEqual(['first', 'second'])
    expect(connectionOf(await sending.latestChannel()).state).toBe('ok')
  },
  promptMs,
)

test.each([
  ['nobody listens', undefined],
  ['the server says 421', '421 4.3.2 Service not available'],
  ['the server says 554', '554 5.7.1 No SMTP service here'],
])(
  'I8: an outage prompts nobody and the mail waits: %s',
  async (_what, greeting) => {
    const sending = await start()
    if (greeting) sending.smtp.always.greeting = greeting
    else sending.smtp.always.greeting = 'drop'
    const message = await sending.accept('waits')
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('retrying')
    expect(presentChannel(await sending.latestChannel())).toMatchObject({
      auth: { state: 'connected' },
      connection: { state: 'backing_off' },
    })
    expect(await eventTypes(sending.bench)).toEqual([])
    sending.smtp.always = {}
    sending.bench.clock.advance(2 * minuteMs)
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('sent')
  },
  promptMs,
)

test(
  'I7: a mail larger than the server takes delays no other',
  async () => {
    const sending = await start()
    sending.smtp.extensions = ['SIZE 50000', '8BITMIME', 'AUTH XOAUTH2']
    const poison = await sending.accept('poison', { text: 'x'.repeat(60_000) })
    const good = await sending.accept('good')
    await sending.drain()
    expect((await sending.latest(good)).state).toBe('sent')
    expect(await sending.latest(poison)).toMatchObject({ state: 'failed' })
  },
  promptMs,
)

test(
  'I7: a mail whose frozen bytes are gone delays no other',
  async () => {
    const sending = await start()
    const [broken, good] = [await sending.accept('broken'), await sending.accept('good')]
    await sending.bench.messages.change(broken.id, { rawKey: 'nowhere' })
    for (let i = 0; i < 3; i++) {
      await sending.drain()
      sending.bench.clock.advance(2 * minuteMs)
    }
    expect((await sending.latest(good)).state).toBe('sent')
    expect((await sending.latest(broken)).state).not.toBe('sent')
  },
  promptMs,
)

test('a message that cannot be sent before its time is over expires, with the reason it met', async () => {
  const sending = await start()
  sending.smtp.always.greeting = 'drop'
  const message = await sending.accept('Late', {
    expiresAt: new Date(sending.bench.now() + 10 * minuteMs).toISOString(),
  })
  await sending.drain()
  sending.bench.clock.advance(11 * minuteMs)
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({
    state: 'expired',
    fault: { code: 'smtp_unreachable' },
  })
})

test('I6: what fails in one channel changes nothing in another', async () => {
  const sending = await start()
  const other = await addChannel(sending.bench, { accountId: 'other' })
  sending.smtp.always.greeting = 'drop'
  await sending.accept('1')
  await sending.drain()
  expect(await sending.bench.channels.get(other.id)).toEqual(other)
  expect(await eventTypes(sending.bench, 'other')).toEqual([])
})
