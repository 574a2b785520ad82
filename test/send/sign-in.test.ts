/** What becomes of messages and channel when there is no good token, or the server refuses it. */

import { expect, test } from 'vitest'
import { connectionOf } from '../../functions/channel/channel-health.ts'
import { useEngines } from '../support/engines.ts'
import { type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { revoked } from '../support/token-endpoint.ts'
import { eventTypes, ownerOf } from '../support/workbench.ts'

const engines = useEngines()
const start = () => startSendingChannel(engines)
const minuteMs = 60_000
/** Far below the time-outs of smtp.ts: who has not ended by then hangs. */
const promptMs = 5_000
const refusal = '535 5.7.3 Authentication unsuccessful [TEST]'

const authCommands = ({ smtp }: SendingChannel) => smtp.lines.filter(line => line.startsWith('AUTH'))
/** XOAUTH2 puts the byte 0x01 behind each of its fields. */
const tokenIn = (line = '') =>
  Buffer.from(line.split(' ')[2] ?? '', 'base64')
    .toString()
    .split('\x01')[1]
    ?.replace('auth=Bearer ', '')

test(
  'S6, S7: 535 with a token that is not fresh is looked into with a fresh one, and the mail is sent with that',
  async () => {
    const sending = await start()
    sending.smtp.script.auth = [refusal]
    const message = await sending.accept('Hello')
    await sending.drain()
    const tokens = authCommands(sending).map(tokenIn)
    expect(tokens[0]).toBe('access-0')
    expect(new Set(tokens.slice(1))).toEqual(new Set(['access-1']))
    expect((await sending.latest(message)).state).toBe('sent')
    expect(await eventTypes(sending.bench)).toEqual(['message.sent'])
  },
  promptMs,
)

test(
  'S7: 535 with a fresh token, while IMAP refuses it as well, twice, parks the mail and asks for a reconnect, once',
  async () => {
    const sending = await start()
    sending.smtp.always.auth = refusal
    sending.imap.authenticate = 'NO AUTHENTICATE failed.'
    const messages = [await sending.accept('1'), await sending.accept('2')]
    await sending.drain()
    for (const message of messages) expect((await sending.latest(message)).state).toBe('retrying')
    expect((await sending.latestChannel()).auth.state).toBe('connected')
    sending.bench.clock.advance(16 * minuteMs)
    await sending.drain()
    await sending.drain()
    for (const message of messages) {
      const fault = { code: 'sign_in_refused', actor: 'owner' }
      expect(await sending.latest(message)).toMatchObject({ state: 'parked', fault })
    }
    const { auth } = await sending.latestChannel()
    expect(auth).toMatchObject({ state: 'reconnect_required', fault: { code: 'sign_in_refused' } })
    expect((await eventTypes(sending.bench)).sort()).toEqual([
      'channel.reconnect_required',
      'message.parked',
      'message.parked',
    ])
  },
  promptMs,
)

test(
  '535 with a fresh token that opens IMAP, twice, parks the mail for an administrator, and reading goes on',
  async () => {
    const sending = await start()
    sending.smtp.always.auth = refusal
    const message = await sending.accept('1')
    await sending.drain()
    expect((await sending.latestChannel()).auth.state).toBe('connected')
    sending.bench.clock.advance(16 * minuteMs)
    await sending.drain()
    await sending.drain()
    const fault = { code: 'smtp_refuses_login', actor: 'tenant_admin' }
    expect(await sending.latest(message)).toMatchObject({ state: 'parked', fault })
    const { auth, access } = await sending.latestChannel()
    expect(auth).toMatchObject({ state: 'blocked_by_admin', fault })
    expect(access).toMatchObject({ imap: { state: 'ok' }, smtp: { state: 'blocked', fault } })
    expect((await eventTypes(sending.bench)).sort()).toEqual(['channel.blocked', 'message.parked'])
  },
  promptMs,
)

test(
  'S8: a login that was stored wrongly heals at the first 535, and the mail is sent',
  async () => {
    const sending = await start()
    await sending.bench.channels.change(sending.channel.id, {
      login: { imap: 'alias@contoso.example', smtp: 'alias@contoso.example' },
    })
    // The stored name is refused twice, at the drain and at the probe; then comes the mailbox's own.
    sending.smtp.script.auth = [refusal, refusal]
    const message = await sending.accept('Hello')
    await sending.drain()
    expect((await sending.latest(message)).state).toBe('sent')
    expect((await sending.latestChannel()).login.smtp).toBe('ada@contoso.example')
    expect((await eventTypes(sending.bench)).sort()).toEqual(['channel.login_healed', 'message.sent'])
  },
  promptMs,
)

test('a revoked grant parks the mail and asks for a reconnect, once', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push(revoked)
  const message = await sending.accept('1')
  await sending.drain()
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({ state: 'parked', fault: { code: 'grant_revoked' } })
  expect(sending.smtp.connections).toBe(0)
  expect((await eventTypes(sending.bench)).sort()).toEqual(['channel.reconnect_required', 'message.parked'])
})

test('a request for a token that the provider finds malformed is ours to mend: no prompt, the mail waits, an alarm counts', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push({ status: 400, body: { error: 'invalid_grant', error_codes: [9002313] } })
  const message = await sending.accept('1')
  await sending.drain()
  const fault = { code: 'token_request_refused', actor: 'operator' }
  expect(await sending.latest(message)).toMatchObject({ state: 'retrying', fault })
  expect((await sending.latestChannel()).auth.state).toBe('connected')
  expect(await eventTypes(sending.bench)).toEqual([])
  expect(sending.bench.metrics.added.InternalFaults).toEqual([1])
  sending.bench.clock.advance(61 * minuteMs)
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('sent')
})

test('parked mail whose time is over expires, and message.failed tells it with what was in the way', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push(revoked)
  const message = await sending.accept('1')
  await sending.drain()
  expect((await sending.latest(message)).state).toBe('parked')
  sending.bench.clock.advance(73 * 60 * minuteMs)
  await sending.drain()
  const { state, fault } = await sending.latest(message)
  expect({ state, fault }).toMatchObject({ state: 'expired', fault: { code: 'grant_revoked' } })
  expect((await eventTypes(sending.bench)).filter(type => type.startsWith('message.'))).toEqual([
    'message.parked',
    'message.failed',
  ])
})

test('parked mail is sent in order once the channel is connected again', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push(revoked)
  await sending.accept('1')
  await sending.accept('2')
  await sending.drain()
  await sending.accept('3')
  await sending.drain()
  expect(
    await eventTypes(sending.bench).then(types => types.filter(type => type === 'message.parked')),
  ).toHaveLength(3)
  const again = { ...sending.channel, grantId: 'gr_again' }
  const answer = {
    accessToken: 'new',
    refreshToken: 'new',
    idToken: null,
    scope: null,
    expiresInMs: 3600_000,
  }
  await sending.bench.grants.create(ownerOf(again), answer)
  await sending.bench.channels.change(again.id, {
    grantId: again.grantId,
    auth: { state: 'connected', fault: null, since: new Date(sending.bench.now()).toISOString() },
  })
  await sending.drain()
  expect(sending.subjects()).toEqual(['1', '2', '3'])
})

test('a refused OAuth app parks no mail and prompts nobody: it waits for the operator', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push({ status: 401, body: { error: 'invalid_client', error_codes: [7000222] } })
  const message = await sending.accept('1')
  await sending.drain()
  expect(await sending.latest(message)).toMatchObject({
    state: 'retrying',
    fault: { code: 'app_credentials_refused', actor: 'operator' },
  })
  expect((await sending.latestChannel()).auth.state).not.toBe('reconnect_required')
  expect(await eventTypes(sending.bench)).not.toContain('channel.reconnect_required')
})

test('a throttled token endpoint is waited for as long as it asks', async () => {
  const sending = await start()
  sending.bench.clock.advance(61 * minuteMs)
  sending.endpoint.script.push({ status: 429, body: {}, headers: { 'retry-after': '600' } })
  await sending.accept('1')
  await sending.drain()
  const { until } = connectionOf(await sending.latestChannel())
  expect(Date.parse(until ?? '')).toBeGreaterThan(sending.bench.now() + 9 * minuteMs)
  sending.bench.clock.advance(5 * minuteMs)
  await sending.drain()
  expect(sending.subjects()).toEqual([])
  sending.bench.clock.advance(6 * minuteMs)
  await sending.drain()
  expect(sending.subjects()).toEqual(['1'])
})
