/** Channels that sign in as the same mailbox share its pace and its connections, as its provider counts them. */

import { expect, test, vi } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { drain } from '../../functions/send/drain.ts'
import { paceKey } from '../../functions/send/mailbox-pace.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { addChannel } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const { messagesPerMinute, smtpConnections } = microsoftWith({}).limits
const customer = { address: 'customer@outside.example' }

/** One mailbox under several channels: a delegate's own, and shared ones it sends as. */
async function start(count: number): Promise<SendingChannel & { channels: Channel[] }> {
  const sending = await startSendingChannel(engines)
  const channels = [sending.channel]
  while (channels.length < count) {
    const sharedMailbox = `desk-${channels.length}@contoso.example`
    const login = { imap: sharedMailbox, smtp: 'Ada@contoso.example' }
    channels.push(
      await addChannel(sending.bench, { sharedMailbox, login, tokens: { accessToken: 'access-0' } }),
    )
  }
  return { ...sending, channels }
}

async function queue({ bench }: SendingChannel, channel: Channel, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    bench.clock.advance(1)
    const document = { to: [customer], subject: `${channel.id} ${i}`, text: 'Hi' }
    await accept({ channel, idempotencyKey: `${channel.id}-${i}`, document }, bench)
  }
}

const drainAs = ({ bench }: SendingChannel, { id }: Channel) =>
  drain(id, { services: bench, deadlineMs: bench.now() + invocationMs })

/** Nothing stands in for SMTP's own counting: when each mail was taken. */
function takenAt({ bench, smtp }: SendingChannel): number[] {
  const times: number[] = []
  smtp.beforeAccept = async () => void times.push(bench.now())
  return times
}

test('two channels of one mailbox stay under its pace together, and all their mail leaves in order', async () => {
  const sending = await start(2)
  const times = takenAt(sending)
  for (const channel of sending.channels) await queue(sending, channel, 35)
  for (let minutes = 0; times.length < 70; minutes++) {
    expect(minutes).toBeLessThan(6)
    await Promise.all(sending.channels.map(channel => drainAs(sending, channel)))
    sending.bench.clock.advance(minuteMs)
  }
  for (let i = messagesPerMinute; i < times.length; i++) {
    expect((times[i] ?? 0) - (times[i - messagesPerMinute] ?? 0)).toBeGreaterThanOrEqual(minuteMs)
  }
  for (const { id } of sending.channels) {
    const own = sending.subjects().filter(subject => subject.startsWith(`${id} `))
    expect(own).toEqual(Array.from({ length: 35 }, (_, i) => `${id} ${i}`))
  }
})

test('more channels than connections: the last waits until one comes free, and sends then', async () => {
  const sending = await start(smtpConnections + 1)
  for (const channel of sending.channels) await queue(sending, channel, 1)
  const { promise: mayGo, resolve: go } = Promise.withResolvers<void>()
  let open = 0
  sending.smtp.beforeAccept = () => {
    open += 1
    return mayGo
  }
  let ended = 0
  const drains = sending.channels.map(async channel => {
    await drainAs(sending, channel)
    ended += 1
  })
  await vi.waitUntil(() => open === smtpConnections && ended === 1, 10_000)
  expect(sending.smtp.connections).toBe(smtpConnections)
  go()
  await Promise.all(drains)
  expect(sending.subjects()).toHaveLength(smtpConnections)
  for (const channel of sending.channels) await drainAs(sending, channel)
  expect(sending.subjects()).toHaveLength(smtpConnections + 1)
})

test('the connection of a drain that was killed comes free when its time is over', async () => {
  const sending = await start(1)
  await queue(sending, sending.channel, 1)
  const until = sending.bench.now() + invocationMs
  const connections = Object.fromEntries(['a', 'b', 'c'].map(id => [id, until]))
  const pace = { slowedTo: null, slowedAtMs: 0, sends: [] }
  await sending.bench.main.put({ ...paceKey(sending.channel), revision: 'r', pace, connections })
  await drainAs(sending, sending.channel)
  expect(sending.subjects()).toEqual([])
  sending.bench.clock.advance(invocationMs)
  await drainAs(sending, sending.channel)
  expect(sending.subjects()).toHaveLength(1)
})

test('what one channel has learned of its mailbox’s pace, the others heed', async () => {
  const sending = await start(2)
  const [one, other] = sending.channels as [Channel, Channel]
  await queue(sending, one, 1)
  sending.smtp.script.mail = ['451 4.7.500 Server busy']
  await drainAs(sending, one)
  const times = takenAt(sending)
  await queue(sending, other, messagesPerMinute)
  await drainAs(sending, other)
  expect(times).toHaveLength(messagesPerMinute / 2 - 1)
})

test('mailboxes that only share a provider, or a name at two providers, share nothing', () => {
  const login = { imap: '', smtp: 'Ada@contoso.example' }
  const key = paceKey({ provider: 'microsoft', login })
  expect(paceKey({ provider: 'microsoft', login: { imap: '', smtp: 'ada@contoso.example' } })).toEqual(key)
  expect(paceKey({ provider: 'google', login })).not.toEqual(key)
  expect(paceKey({ provider: 'microsoft', login: { imap: '', smtp: 'bo@contoso.example' } })).not.toEqual(key)
})
