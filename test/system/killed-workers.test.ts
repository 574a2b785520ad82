import { expect, test, vi } from 'vitest'
import type { ApiAnswer, Json } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const customer = { address: 'customer@outside.example' }
const functions = ['Connect', 'Api', 'Send', 'Fetch', 'Schedule']
const killingMs = 6_000

/** An app repeats what failed on our side; that is its whole part in surviving a crash. */
async function persistently(call: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  let answer: ApiAnswer | undefined
  await vi.waitUntil(
    async () => {
      answer = await call()
      return answer.status < 500
    },
    { timeout: 20_000, interval: 50 },
  )
  if (!answer) throw new Error('no answer')
  return answer
}

/** Signs in as often as it takes: a sign-in cut short is begun again with a new link. */
async function connectPersistently(persona: string): Promise<Json> {
  const { app } = running
  let channel: Json
  await vi.waitUntil(
    async () => {
      const session = await persistently(() =>
        app.call('POST', '/v1/connect-sessions', { accountId: 'acme', provider: 'microsoft' }),
      )
      const landing = await newPerson().connect(session.body.connectUrl, persona)
      if (landing.status !== 200) return false
      const confirmed = await persistently(() =>
        app.call('POST', `/v1/connect-sessions/${session.body.id}/confirm`),
      )
      channel = confirmed.body.channel
      return confirmed.status === 200
    },
    { timeout: 30_000, interval: 50 },
  )
  return channel
}

test('functions killed at random moments lose nothing, send nothing twice and tell nothing twice', async () => {
  const { app, system } = running
  const killUntilMs = Date.now() + killingMs
  const killing = (async () => {
    while (Date.now() < killUntilMs) {
      await new Promise(resolve => setTimeout(resolve, 20 + Math.random() * 250))
      await system.cloud.kill(functions[Math.floor(Math.random() * functions.length)] ?? 'Api')
    }
  })()

  const channel = await connectPersistently('ada')
  const accepted: string[] = []
  const subjects: string[] = []
  for (let i = 0; Date.now() < killUntilMs || i < 10; i++) {
    const document = { to: [customer], subject: `out ${i}`, text: 'kept' }
    const answer = await persistently(() => app.send(channel.id, document, `key-${i}`))
    expect(answer.status).toBe(202)
    accepted.push(answer.body.id)
    subjects.push(`in ${i}`)
    await running.sandbox('/personas/ada/deliver', { from: customer, subject: `in ${i}`, text: 'kept' })
    await persistently(() => app.call('POST', `/v1/channels/${channel.id}/poll`))
  }
  await killing

  const settled = ['sent', 'uncertain']
  await vi.waitUntil(
    async () => {
      // The minute's own firing, without waiting for the minute.
      await system.cloud.invoke('Schedule', {})
      await app.call('POST', `/v1/channels/${channel.id}/poll`)
      const messages = await Promise.all(accepted.map(id => app.call('GET', `/v1/messages/${id}`)))
      const events = await allEvents()
      const received = new Set(events.map(event => event.data.message?.subject))
      return (
        messages.every(({ body }) => settled.includes(body.state)) &&
        subjects.every(subject => received.has(subject))
      )
    },
    { timeout: 120_000, interval: 1_000 },
  )

  const { messages: delivered } = await running.sandbox('/outside')
  const copies = delivered.map((mail: Json) => mail.subject)
  expect(copies).toHaveLength(new Set(copies).size)
  const messages = await Promise.all(accepted.map(id => app.call('GET', `/v1/messages/${id}`)))
  for (const { body } of messages.filter(({ body }) => body.state === 'sent'))
    expect(copies).toContain(body.subject)
  const events = await allEvents()
  const received = events
    .filter(event => event.type === 'message.received')
    .map(event => event.data.message.subject)
  expect(received.toSorted()).toEqual(subjects.toSorted())
  const ids = events.map(event => event.id)
  expect(ids).toHaveLength(new Set(ids).size)
}, 180_000)

async function allEvents(): Promise<Json[]> {
  const events: Json[] = []
  let after = ''
  for (;;) {
    const { body } = await running.app.call(
      'GET',
      `/v1/events?accountId=acme&limit=100${after && `&after=${after}`}`,
    )
    if (body.events.length === 0) return events
    events.push(...body.events)
    after = body.cursor
  }
}
