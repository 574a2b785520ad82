/** A mailbox never sends faster than its provider allows, and holds up no other. */

import type { SQSRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { openSimulation } from '../support/simulated-sending.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { openVirtualClock } from '../support/virtual-clock.ts'
import { addChannel } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

test('I7: 1,000 replies of one Microsoft mailbox leave in order, in no minute more than it allows, and those of another leave in between within seconds', async () => {
  const { messagesPerMinute } = microsoftWith({}).limits
  const clock = openVirtualClock()
  const simulation = await openSimulation({ messagesPerMinute, clock, takesMs: 500 })
  const { channel: busy, taken, takenAtMs } = simulation
  const other = await simulation.addChannel('bo@contoso.example')
  const queued: string[] = []
  for (let i = 0; i < 1_000; i++) queued.push(await simulation.accept('report', busy))
  const startMs = simulation.now()
  const invocations: Promise<void>[] = []
  const isLeft = () => queued.some(id => !taken.includes(id))

  /** Rings for the busy one every minute, as `schedule` does. */
  async function minutes(): Promise<void> {
    for (; isLeft(); await clock.sleep(minuteMs)) invocations.push(simulation.ring([busy]))
  }
  /** When each reply of the other was accepted. The first one's doorbell comes in one batch behind the busy one's. */
  const acceptedAtMs = new Map<string, number>()
  async function repliesOfTheOther(): Promise<void> {
    for (; isLeft(); await clock.sleep(70_000)) {
      acceptedAtMs.set(await simulation.accept('report', other), simulation.now())
      invocations.push(simulation.ring([busy, other]))
    }
  }
  await clock.pass(Promise.all([repliesOfTheOther(), minutes()]))
  await clock.pass(Promise.all(invocations))

  const takenAt = new Map(taken.map((id, index) => [id, takenAtMs[index] ?? 0]))
  expect(taken.filter(id => !acceptedAtMs.has(id))).toEqual(queued)
  const times = queued.map(id => takenAt.get(id) ?? 0)
  for (let i = messagesPerMinute; i < times.length; i++) {
    const [earlier = 0, later = 0] = [times[i - messagesPerMinute], times[i]]
    expect(later - earlier, `mails ${i - messagesPerMinute} to ${i}`).toBeGreaterThanOrEqual(minuteMs)
  }
  const takenMinutes = ((times.at(-1) ?? 0) - startMs) / minuteMs
  expect(takenMinutes).toBeLessThan(1.1 * (1_000 / messagesPerMinute))
  const delays = [...acceptedAtMs].map(([id, atMs]) => (takenAt.get(id) ?? Infinity) - atMs)
  expect(delays.length).toBeGreaterThan(25)
  expect(Math.max(...delays)).toBeLessThan(5_000)
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
