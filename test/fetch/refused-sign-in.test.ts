/** What a server's refusal in the middle of reading leads to: names are tried slowly, and nothing is believed at once. */

import { beforeEach, expect, test } from 'vitest'
import { paced, triedAfter } from '../../functions/channel/candidates.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { Probe, ProtocolProbe } from '../../functions/channel/probe.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { useEngines } from '../support/engines.ts'
import { type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { eventTypes } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const dayMs = 24 * 60 * minuteMs

let mailbox: SendingChannel

beforeEach(async () => {
  mailbox = await startSendingChannel(engines)
})

async function poll(): Promise<Channel> {
  const { bench, channel } = mailbox
  const work = { services: bench, deadlineMs: bench.now() + minuteMs }
  await answerRecord(JSON.stringify({ channelIds: [channel.id] }), work)
  return mailbox.latestChannel()
}

test('I8: a socket that drops 50 times inside AUTHENTICATE prompts nobody', async () => {
  mailbox.imap.authenticate = 'drop'
  for (let time = 0; time < 50; time++) {
    expect((await poll()).auth.state).toBe('connected')
    mailbox.bench.clock.advance(16 * minuteMs)
  }
  expect(mailbox.imap.connections).toBeGreaterThanOrEqual(50)
  expect(await eventTypes(mailbox.bench)).toEqual([])
})

test('“authenticated but not connected” is a setting only when it was seen three times over half an hour', async () => {
  mailbox.imap.afterwards = 'BAD User is authenticated but not connected.'
  for (let time = 0; time < 2; time++) {
    expect((await poll()).auth.state).toBe('connected')
    mailbox.bench.clock.advance(21 * minuteMs)
  }
  expect(await poll()).toMatchObject({
    auth: { state: 'blocked_by_admin', fault: { code: 'imap_disabled' } },
    access: { smtp: { state: 'ok' } },
  })
})

test('a server that asks us to stay away while its refusal is looked into is left alone for as long', async () => {
  // The wait was lost on the way, and the server was asked again after minutes.
  const refusal = 'NO AUTHENTICATE failed.'
  mailbox.imap.authenticate = refusal
  await poll()
  mailbox.bench.clock.advance(16 * minuteMs)
  const answers = [refusal, throttled]
  Object.defineProperty(mailbox.imap, 'authenticate', { get: () => answers.shift() ?? throttled })
  const { auth, imapTrouble } = await poll()
  expect(answers).toEqual([])
  expect(auth.state).toBe('connected')
  expect(imapTrouble?.fault.code).toBe('imap_throttled')
  expect(Date.parse(imapTrouble?.until ?? '') - mailbox.bench.now()).toBeGreaterThan(4.9 * 60 * minuteMs)
})

test('a mailbox that Exchange throttles is not even connected to before the time that it has suggested', async () => {
  const { imap, bench } = mailbox
  imap.afterwards = throttled
  await poll()
  const connections = imap.connections
  imap.afterwards = null
  for (let hours = 1; hours < 5; hours++) {
    bench.clock.advance(60 * minuteMs)
    expect((await poll()).imapTrouble?.fault.code).toBe('imap_throttled')
  }
  expect(imap.connections).toBe(connections)
  bench.clock.advance(80 * minuteMs)
  expect((await poll()).imapTrouble).toBeNull()
  expect(imap.connections).toBe(connections + 1)
})

const throttled = 'BAD Request is throttled. Suggested Backoff Time: 18000000 milliseconds'

const answered = (...logins: string[]): ProtocolProbe => ({
  login: null,
  fault: null,
  isConclusive: true,
  attempts: logins.map(login => ({ login, accepted: false, answer: '535', fault: null })),
})

test('one new name at a time, thirty seconds apart, and the whole list once a day', () => {
  const { channel } = mailbox
  const start = Date.parse('2026-11-26T10:00:00Z')
  const known = channel.login.smtp
  const names = [known, 'second@contoso.example', 'third@contoso.example']
  const candidates = { imap: [channel.login.imap], smtp: names }
  const tryAt = (tried: Channel['tried'], atMs: number) => {
    const { names, isLeft } = paced({ ...channel, tried }, candidates, atMs)
    const probe: Probe = { imap: answered(...names.imap), smtp: answered(...names.smtp) }
    return { smtp: names.smtp, isLeft: isLeft.smtp, tried: triedAfter({ ...channel, tried }, probe, atMs) }
  }
  const first = tryAt(null, start)
  expect(first).toMatchObject({ smtp: [known, names[1]], isLeft: true })
  expect(tryAt(first.tried, start + 10_000)).toMatchObject({ smtp: [known], isLeft: true })
  const second = tryAt(first.tried, start + 30_000)
  expect(second).toMatchObject({ smtp: [known, names[2]], isLeft: false })
  expect(tryAt(second.tried, start + dayMs - 1)).toMatchObject({ smtp: [known], isLeft: false })
  expect(tryAt(second.tried, start + dayMs)).toMatchObject({ smtp: [known, names[1]], isLeft: true })
})
