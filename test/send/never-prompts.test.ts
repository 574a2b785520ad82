/** I8: what passes by itself never asks a person; what does not asks once, and the mail waits meanwhile. */

import { expect, test } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
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
