/** What nobody can tell of is looked for in Sent, at growing delays; then it is for the app, as the app has chosen. */

import { expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import { playSentFolder } from '../support/played-sent-folder.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const secondMs = 1_000
const minuteMs = 60 * secondMs

/** A mail was handed over whole, and the connection is gone before the server has answered. */
async function setUp({
  onUncertain = 'report',
  ...changes
}: Partial<Channel> & { onUncertain?: string } = {}) {
  const sending = await startSendingChannel(engines)
  const { bench, channel, smtp } = sending
  await bench.channels.change(channel.id, changes)
  const sent = playSentFolder()
  const drained = () =>
    drain(channel.id, {
      services: { ...bench, openSent: sent.open },
      deadlineMs: bench.now() + invocationMs,
    })
  const message = await sending.accept('doubtful', { onUncertain })
  smtp.script.body = ['drop']
  await drained()
  expect((await sending.latest(message)).state).toBe('uncertain')
  return {
    sending,
    sent,
    message,
    async drainAfter(ms: number) {
      bench.clock.advance(ms)
      await drained()
    },
    latest: () => sending.latest(message),
    rows: () => bench.outbox.rows(channel.id, 10),
  }
}

test('it lies in Sent: it is sent, under the Message-ID that the provider gave it', async () => {
  const { sending, sent, message, drainAfter, latest, rows } = await setUp()
  sent.holds.set(message.id, '<given@TEST.prod.outlook.com>')
  await drainAfter(minuteMs)
  expect(await latest()).toMatchObject({
    state: 'sent',
    fault: null,
    providerMessageId: '<given@TEST.prod.outlook.com>',
  })
  expect(await eventTypes(sending.bench)).toEqual(['message.uncertain', 'message.sent'])
  expect(await rows()).toEqual([])
})

test('it is looked for after half a minute, two minutes and ten more, then left to the app, told once and sent once', async () => {
  const { sending, sent, drainAfter, latest, rows } = await setUp()
  const looksAfter = async (ms: number) => {
    await drainAfter(ms)
    return sent.looks.length
  }
  expect(await looksAfter(20 * secondMs)).toBe(0)
  expect(await looksAfter(15 * secondMs)).toBe(1)
  expect(await looksAfter(110 * secondMs)).toBe(1)
  expect(await looksAfter(15 * secondMs)).toBe(2)
  expect(await looksAfter(9 * minuteMs)).toBe(2)
  expect(await looksAfter(2 * minuteMs)).toBe(3)
  expect(await looksAfter(60 * minuteMs)).toBe(3)
  expect(await latest()).toMatchObject({ state: 'uncertain', fault: { code: 'outcome_unknown' } })
  expect(await eventTypes(sending.bench)).toEqual(['message.uncertain'])
  expect(await rows()).toEqual([])
  expect(sending.smtp.taken).toBe(1)
})

test('onUncertain: resend sends it again, but only once all looks have found nothing', async () => {
  const { sending, drainAfter, latest } = await setUp({ onUncertain: 'resend' })
  await drainAfter(minuteMs)
  await drainAfter(3 * minuteMs)
  expect(sending.smtp.taken).toBe(1)
  await drainAfter(15 * minuteMs)
  expect(await latest()).toMatchObject({ state: 'sent', attempt: 2 })
  expect(sending.smtp.taken).toBe(2)
})

test('a Sent folder that cannot be reached is no look: nothing is decided without one', async () => {
  const { sent, message, drainAfter, latest } = await setUp()
  sent.isReachable = false
  for (let looks = 0; looks < 5; looks++) await drainAfter(15 * minuteMs)
  expect((await latest()).state).toBe('uncertain')
  sent.isReachable = true
  sent.holds.set(message.id, message.messageId)
  await drainAfter(15 * minuteMs)
  expect((await latest()).state).toBe('sent')
})

test('a provider that throttles a look is left alone for as long as it wants, by looks and by polls', async () => {
  const { sending, sent, message, drainAfter, latest } = await setUp()
  const retryAfterMs = 300 * minuteMs
  sent.refusal = new PostroomError('imap_throttled', { retryAfterMs })
  await drainAfter(minuteMs)
  const { imapTrouble, auth } = await sending.latestChannel()
  expect(Date.parse(imapTrouble?.until ?? '') - sending.bench.now()).toBeGreaterThan(299 * minuteMs)
  expect(auth.state).toBe('connected')
  sent.refusal = null
  sent.holds.set(message.id, message.messageId)
  for (let hour = 1; hour < 5; hour++) await drainAfter(60 * minuteMs)
  expect(sent.looks).toEqual([])
  await drainAfter(90 * minuteMs)
  expect((await latest()).state).toBe('sent')
})

test('what a poll was told to wait for, a look waits for as well', async () => {
  const { sending, sent, message, drainAfter, latest } = await setUp()
  const throttled = new PostroomError('imap_throttled', { retryAfterMs: 60 * minuteMs })
  await sending.bench.health.failed(await sending.latestChannel(), 'imap', throttled)
  sent.holds.set(message.id, message.messageId)
  await drainAfter(30 * minuteMs)
  expect(sent.looks).toEqual([])
  await drainAfter(40 * minuteMs)
  expect((await latest()).state).toBe('sent')
})

test('what left as a shared mailbox is looked for with the person who sent it, then where its team looks', async () => {
  const shared = 'support@contoso.example'
  const { sent, message, drainAfter } = await setUp({
    sharedMailbox: shared,
    login: { imap: shared, smtp: 'ada@contoso.example' },
  })
  await drainAfter(minuteMs)
  expect(sent.looks).toEqual([
    { id: message.id, user: 'ada@contoso.example' },
    { id: message.id, user: shared },
  ])
})
