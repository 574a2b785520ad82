/** A mailbox never sends faster than its provider allows, and holds up no other. */

import type { SQSRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { openSimulation } from '../support/simulated-sending.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { addChannel } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

test('1,000 replies of one Microsoft mailbox leave in order, in no minute more than it allows, and not much slower', async () => {
  const { messagesPerMinute } = microsoftWith({}).limits
  const simulation = await openSimulation({ messagesPerMinute })
  for (let i = 0; i < 1_000; i++) await simulation.accept()
  const startMs = simulation.now()
  while ((await simulation.rows()) > 0) {
    await simulation.sweep()
    simulation.advance(minuteMs)
  }
  const { accepted, taken, takenAtMs } = simulation
  expect(taken).toEqual(accepted)
  for (let i = messagesPerMinute; i < takenAtMs.length; i++) {
    const [earlier = 0, later = 0] = [takenAtMs[i - messagesPerMinute], takenAtMs[i]]
    expect(later - earlier, `mails ${i - messagesPerMinute} to ${i}`).toBeGreaterThanOrEqual(minuteMs)
  }
  const minutes = ((takenAtMs.at(-1) ?? 0) - startMs) / minuteMs
  expect(minutes).toBeLessThan(1.1 * (1_000 / messagesPerMinute))
})

test('I7: another mailbox’s reply, queued behind one that has used up its pace, leaves at once', async () => {
  const sending = await startSendingChannel(engines)
  const { messagesPerMinute } = microsoftWith({}).limits
  for (let i = 0; i < messagesPerMinute + 5; i++) await sending.accept(`busy ${i}`)
  const login = { imap: 'bo@contoso.example', smtp: 'bo@contoso.example' }
  const other = await addChannel(sending.bench, { login, tokens: { accessToken: 'access-0' } })
  const document = { to: [{ address: 'customer@outside.example' }], subject: 'other', text: 'Hi' }
  await accept({ channel: other, idempotencyKey: 'other', document }, sending.bench)

  const deadlineMs = sending.bench.now() + invocationMs
  const services = { ...sending.bench, bury: async () => {} }
  const rings = [sending.channel.id, other.id].map(channelId => doorbell(channelId))
  expect(await send(rings, { services, deadlineMs })).toEqual({ batchItemFailures: [] })
  const subjects = sending.subjects()
  expect(subjects).toContain('other')
  expect(subjects).toHaveLength(messagesPerMinute + 1)
})

function doorbell(channelId: string): SQSRecord {
  return { messageId: channelId, body: JSON.stringify({ channelId }) } as SQSRecord
}
