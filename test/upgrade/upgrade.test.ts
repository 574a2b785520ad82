/**
 * What the release before has left is taken over by the code of today, which starts on it as `npm start` would: both tables,
 * the queues with what was in hand, the bucket, and mailboxes in which mail has arrived meanwhile.
 */

import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { Webhook as Verifier } from 'standardwebhooks'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { listenOnLoopback } from '../../infra/local/loopback.ts'
import { quiet } from '../support/quiet.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { putBack, type Recording } from './recording.ts'

/** A connect link still holds, and what was to be sent later is due. */
const leftMsAgo = 5 * 60_000
const patience = { timeout: 90_000, interval: 500 }

const recording: Recording = JSON.parse(
  await readFile(new URL('release-0.1.0.json', import.meta.url), 'utf8'),
)
let told: Json
const posted: { path: string; headers: Record<string, string>; body: string }[] = []
const receiver = createServer(async (request, response) => {
  const body = (await buffer(request)).toString()
  posted.push({ path: request.url ?? '', headers: request.headers as Record<string, string>, body })
  response.writeHead(204).end()
})

/** The ports are the recorded ones: a second run on this machine waits here until the first is over. */
beforeAll(
  () =>
    vi.waitUntil(
      () =>
        listenOnLoopback(receiver, recording.told.receiverPort).then(
          () => true,
          () => false,
        ),
      { timeout: 170_000, interval: 500 },
    ),
  180_000,
)
// Registered first, and so done last.
afterAll(() => {
  receiver.close()
  receiver.closeAllConnections()
})
const running = useRunningSystem({
  async fillFolder(folder) {
    // The two servers that hung are well again.
    const people = JSON.parse(String(recording.files['sandbox/directory.json']))
    for (const persona of ['linus', 'alan']) delete people.scripts[persona]
    const files = { ...recording.files, 'sandbox/directory.json': JSON.stringify(people) }
    told = (await putBack(folder, { ...recording, files }, leftMsAgo)).told
  },
})
const channelOf = (email: string): Json => told.channels.find((channel: Json) => channel.email === email)
const ada = () => channelOf('ada@contoso.example')
const grace = () => channelOf('Grace.Hopper@tenant-b.example')

async function allEvents(): Promise<Json[]> {
  const events: Json[] = []
  for (let after: string | null = null; ; ) {
    const query = new URLSearchParams({ accountId: told.accountId, limit: '100', ...(after && { after }) })
    const { body }: { body: Json } = await running.app.call('GET', `/v1/events?${query}`)
    events.push(...body.events)
    if (body.events.length === 0) return events
    after = body.cursor
  }
}

async function timesLeft(): Promise<Record<string, number>> {
  const { messages } = await running.sandbox('/outside')
  return timesOf(messages.map(({ subject }: Json) => subject))
}

function timesOf(names: string[]): Record<string, number> {
  const times: Record<string, number> = {}
  for (const name of names) times[name] = (times[name] ?? 0) + 1
  return times
}

/** Minutes pass until it is so. */
async function inTime(holds: () => Promise<boolean>): Promise<void> {
  await vi.waitUntil(async () => {
    await running.system.cloud.invoke('Schedule', {})
    await quiet(running.system)
    return holds()
  }, patience)
}

test('the API shows channels, webhooks, messages and events under the ids and with the values they had', async () => {
  const { app } = running
  const events = await allEvents()
  expect(events.slice(0, told.events.length)).toEqual(told.events)
  for (const { id, email, connectedAt, fetchSince, displayName, login } of told.channels) {
    const { body } = await app.call('GET', `/v1/channels/${id}`)
    expect(body).toMatchObject({ id, email, connectedAt, fetchSince, displayName, login })
  }
  const { body } = await app.call('GET', `/v1/webhooks?accountId=${told.accountId}`)
  expect(body.webhooks.map(({ id, url, secrets }: Json) => ({ id, url, secrets }))).toEqual(
    told.webhooks.map(({ id, url, secrets }: Json) => ({ id, url, secrets })),
  )
  const over = ['received', 'sent', 'failed']
  for (const message of told.messages) {
    const shown = await app.call('GET', `/v1/messages/${message.id}`)
    expect(shown.body).toMatchObject(over.includes(message.state) ? message : { subject: message.subject })
  }
})

test('the OAuth app that was refused is tried, taken, and its mailboxes work again', {
  timeout: 120_000,
}, async () => {
  expect(ada().auth.state).toBe('app_fault')
  await inTime(async () => {
    const { body } = await running.app.call('GET', `/v1/channels/${ada().id}`)
    return body.auth.state === 'connected'
  })
})

test('what waited, what was due and what was cut off leaves once; what had left does not leave again', {
  timeout: 120_000,
}, async () => {
  await running.sandbox('/personas/margaret/script', { script: '' })
  const { status } = await running.app.call(
    'POST',
    `/v1/channels/${channelOf('margaret@fabrikam.example').id}/probe`,
  )
  expect(status).toBe(200)
  await inTime(async () => {
    const times = await timesLeft()
    return ['At noon', 'By queue', 'Cut off', 'Parked'].every(subject => times[subject])
  })
  await running.app.send(
    ada().id,
    { to: [{ address: 'customer@outside.example' }], subject: 'New', text: 'x' },
    'new',
  )
  await inTime(async () => (await timesLeft()).New !== undefined)
  expect(await timesLeft()).toEqual({
    Answer: 1,
    Antwort: 1,
    'At noon': 1,
    'By queue': 1,
    'Cut off': 1,
    Parked: 1,
    New: 1,
  })
})

test('a repeated request with the key of the release before is the same message', async () => {
  const [message] = told.messages.filter(({ subject }: Json) => subject === 'Answer')
  const [question] = told.messages.filter(({ subject }: Json) => subject === 'Question')
  const again = await running.app.send(
    ada().id,
    { to: message.to, subject: 'Answer', text: 'Answer.', inReplyTo: question.id },
    'Answer',
  )
  expect(again).toMatchObject({ status: 202, body: { id: message.id, state: 'sent' } })
})

test('reading goes on behind the last mail: what came meanwhile is told once, what was told is not told again', {
  timeout: 120_000,
}, async () => {
  await running.sandbox('/personas/linus/deliver', {
    from: { address: 'customer@outside.example' },
    subject: 'New question',
    text: 'x',
  })
  const channels = [ada(), channelOf('alan@contoso.example'), channelOf('linus@gmail-sandbox.example')]
  for (const { id } of channels) await running.app.call('POST', `/v1/channels/${id}/poll`)
  const subjects = async () =>
    timesOf(
      (await allEvents())
        .filter(({ type }) => type === 'message.received')
        .map(({ data }) => data.message.subject),
    )
  await inTime(async () => Object.keys(await subjects()).length === 6)
  expect(await subjects()).toEqual({
    Question: 1,
    Anfrage: 1,
    'Told to nobody': 1,
    'While nobody looked': 1,
    'Never read': 1,
    'New question': 1,
  })
})

test('webhooks get what they have not got, signed with the secret that the release before has shown', {
  timeout: 120_000,
}, async () => {
  const idsAt = (path: string) =>
    posted.filter(one => one.path === path).map(({ headers }) => headers['webhook-id'])
  // None is told how it does itself.
  const isAbout = (path: string, { data }: Json) => data.webhook?.url.endsWith(path)
  const paths = Object.keys(told.taken)
  await inTime(async () => {
    const events = await allEvents()
    return paths.every(path => {
      const got = new Set([...told.taken[path], ...idsAt(path)])
      return events.every(event => got.has(event.id) || isAbout(path, event))
    })
  })
  for (const path of paths) {
    const ids = idsAt(path)
    expect(ids.length).toBeGreaterThan(0)
    // What was in hand when the power went may come twice, under the one id; what was taken does not come again.
    expect(ids.filter(id => told.taken[path].includes(id))).toEqual([])
  }
  const secretOf = (path: string) =>
    told.secrets[told.webhooks.find(({ url }: Json) => url.endsWith(path)).id]
  for (const { path, headers, body } of posted) new Verifier(secretOf(path)).verify(body, headers)
})

test('a reconnect link and a connect link that were given out lead to working mailboxes', {
  timeout: 120_000,
}, async () => {
  expect(grace().auth.state).toBe('reconnect_required')
  const reconnected = await newPerson().connect(told.reconnectUrl, 'grace')
  expect(reconnected.status).toBe(200)
  await inTime(async () => {
    const { body } = await running.app.call('GET', `/v1/channels/${grace().id}`)
    return body.auth.state === 'connected'
  })
  const connected = await newPerson().connect(told.openSession.connectUrl, 'edsger', { script: '' })
  expect(connected.status).toBe(200)
  const { body } = await running.app.call('POST', `/v1/connect-sessions/${told.openSession.id}/confirm`)
  expect(body.channel).toMatchObject({
    email: 'edsger@outlook-sandbox.example',
    auth: { state: 'connected' },
  })
})

test('nothing that was stored or queued was refused', async () => {
  const lines = running.log.map(line => JSON.stringify(line))
  expect(
    lines.filter(line => /stored_item_invalid|record_invalid|secret_unreadable|"level":"error"/.test(line)),
  ).toEqual([])
})
