/** I8: what passes by itself never asks a person; what does not asks once, and the mail waits meanwhile. */

import { expect, test } from 'vitest'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { useEngines } from '../support/engines.ts'
import { type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const channelEvents = (types: string[]) => types.filter(type => type.startsWith('channel.'))

test('I8: a socket that drops 50 times inside AUTH prompts nobody, and the mail is sent then', async () => {
  const sending = await startSendingChannel(engines)
  sending.smtp.always.auth = 'drop'
  const message = await sending.accept('waits')
  for (let time = 0; time < 50; time++) {
    await sending.drain()
    sending.bench.clock.advance(16 * minuteMs)
  }
  expect(sending.smtp.connections).toBeGreaterThanOrEqual(50)
  expect((await sending.latestChannel()).auth.state).toBe('connected')
  sending.smtp.always = {}
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('sent')
  expect(channelEvents(await eventTypes(sending.bench))).toEqual([])
})

test('I8: a token endpoint that answers 503 for an hour prompts nobody, and the mail is sent then', async () => {
  const sending = await startSendingChannel(engines)
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.always = { status: 503, body: '<html>Service Unavailable</html>' }
  const message = await sending.accept('waits')
  for (let minute = 0; minute < 60; minute += 2) {
    await sending.drain()
    sending.bench.clock.advance(2 * minuteMs)
  }
  expect((await sending.latestChannel()).auth.state).toBe('connected')
  sending.endpoint.always = undefined
  sending.bench.clock.advance(16 * minuteMs)
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('sent')
  expect(channelEvents(await eventTypes(sending.bench))).toEqual([])
})

const throttles: [string, (sending: SendingChannel) => void][] = [
  [
    'the token endpoint',
    ({ endpoint }) => {
      endpoint.always = { status: 429, body: { error: 'slow_down' }, headers: { 'retry-after': '1800' } }
    },
  ],
  [
    'the server for sending',
    ({ smtp }) => {
      smtp.always.auth = '454 4.7.0 Too many login attempts, please try again later. [TEST]'
    },
  ],
  [
    'the server for reading',
    ({ imap }) => {
      imap.afterwards = 'BAD Request is throttled. Suggested Backoff Time: 1800000 milliseconds'
    },
  ],
]

test.each(throttles)(
  'I8: %s that throttles for a whole day prompts nobody; then the mail is sent and the mailbox read',
  async (_who, throttle) => {
    const sending = await startSendingChannel(engines)
    const { bench, channel } = sending
    const poll = () =>
      answerRecord(JSON.stringify({ channelIds: [channel.id] }), {
        services: bench,
        deadlineMs: bench.now() + minuteMs,
      })
    bench.clock.advance(61 * minuteMs)
    throttle(sending)
    const messages = []
    for (let hour = 0; hour < 24; hour++) {
      if (hour % 8 === 0) messages.push(await sending.accept(`at ${hour}`))
      for (let turn = 0; turn < 3; turn++) {
        await Promise.all([sending.drain(), poll()])
        expect((await sending.latestChannel()).auth.state).toBe('connected')
        bench.clock.advance(20 * minuteMs)
      }
    }
    sending.endpoint.always = undefined
    sending.smtp.always = {}
    sending.imap.afterwards = null
    bench.clock.advance(2 * 60 * minuteMs)
    const mended = bench.now()
    await Promise.all([sending.drain(), poll()])
    for (const message of messages) expect((await sending.latest(message)).state).toBe('sent')
    const { lastFetchedAt, auth, imapTrouble, smtpTrouble } = await sending.latestChannel()
    expect([auth.state, imapTrouble, smtpTrouble]).toEqual(['connected', null, null])
    // An idle poll leaves its time every three hours.
    expect(mended - Date.parse(lastFetchedAt ?? '')).toBeLessThan(3 * 60 * minuteMs)
    expect(channelEvents(await eventTypes(bench))).toEqual([])
  },
)

test('a grant without access to mail asks its owner at once: no name would help', async () => {
  const sending = await startSendingChannel(engines)
  sending.smtp.always.auth = '535 5.7.3 Authentication unsuccessful [TEST]'
  sending.endpoint.answer = { scope: 'openid profile https://outlook.office.com/IMAP.AccessAsUser.All' }
  const message = await sending.accept('waits')
  await sending.drain()
  expect((await sending.latestChannel()).auth).toMatchObject({
    state: 'reconnect_required',
    fault: { code: 'scope_withdrawn', actor: 'owner' },
  })
  expect((await sending.latest(message)).state).toBe('parked')
})

test('a refused sign-in is not held against the grant while the other server cannot be asked', async () => {
  const sending = await startSendingChannel(engines)
  sending.smtp.always.auth = '535 5.7.3 Authentication unsuccessful [TEST]'
  sending.imap.authenticate = 'drop'
  await sending.accept('waits')
  for (let time = 0; time < 4; time++) {
    await sending.drain()
    sending.bench.clock.advance(16 * minuteMs)
  }
  expect((await sending.latestChannel()).auth.state).toBe('connected')
  expect(channelEvents(await eventTypes(sending.bench))).toEqual([])
})
