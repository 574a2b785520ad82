/** What the log says of a message that has to wait, and of what was told: ids and codes, and nothing that was written. */

import { afterEach, expect, test, vi } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { revoked } from '../support/token-endpoint.ts'

const engines = useEngines()
afterEach(() => void vi.restoreAllMocks())

test('one line for each time that its server puts it off', async () => {
  const { accept, drain, smtp, latest } = await startSendingChannel(engines)
  const message = await accept('Unspoken')
  smtp.script.body = ['451 4.3.0 Try again later']
  const written: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text))
    return true
  })
  await drain()
  const lines = written.filter(text => text.includes('message_waits')).map(text => JSON.parse(text))
  const { nextAttemptAt, fault, channelId } = await latest(message)
  expect(lines).toEqual([
    expect.objectContaining({ messageId: message.id, channelId, until: nextAttemptAt, code: fault?.code }),
  ])
})

test('what was told is logged with its account and the code of what went wrong, and without its words', async () => {
  const { accept, drain, bench, endpoint } = await startSendingChannel(engines)
  bench.clock.advance(61 * 60_000)
  endpoint.script.push(revoked)
  await accept('Unspoken')
  const written: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text))
    return true
  })
  await drain()
  const told = written.filter(text => text.includes('"told"')).map(text => JSON.parse(text))
  expect(told).toEqual([
    expect.objectContaining({ type: 'channel.reconnect_required', accountId: 'acme', code: 'grant_revoked' }),
    expect.objectContaining({ type: 'message.parked', accountId: 'acme', code: 'grant_revoked' }),
  ])
  expect(written.join('')).not.toContain('Unspoken')
})
