/** A batch of mailboxes: one that hangs, breaks or is damaged delays no other, and an outage prompts nobody. */

import { beforeEach, expect, test } from 'vitest'
import { connectionOf } from '../../functions/channel/channel-health.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { answerRecord } from '../../functions/fetch/fetch.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { type ScriptedImap, startScriptedImap } from '../support/scripted-imap.ts'
import { nowhere } from '../support/test-providers.ts'
import { addChannel, eventsOf, eventTypes, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock } = mailboxes

let bench: Workbench
let imap: ScriptedImap
let ada: Channel
let broken: Channel

beforeEach(async () => {
  imap = await startScriptedImap()
  const { providers, apps } = mailboxes
  const { microsoft } = providers
  if (!microsoft) throw new Error('There is no entry for microsoft')
  const known = {
    ...providers,
    scripted: { ...microsoft, imap: imap.server },
    nowhere: { ...microsoft, imap: nowhere, tokenEndpoint: 'http://127.0.0.1:1/token' },
  }
  bench = openWorkbench(await engines.fresh(), { providers: known, apps, clock })
  clock.advance(2_000)
  ada = await mailboxes.connect(bench, 'ada')
  broken = await addChannel(bench, { provider: 'scripted' })
  await mailboxes.deliver('ada', { subject: 'to ada' })
})

async function poll(...channelIds: string[]): Promise<void> {
  await pollIn({ channelIds })
}
const pollIn = (batch: object, deadlineMs = bench.now() + 60_000) =>
  answerRecord(JSON.stringify(batch), { services: bench, deadlineMs })

const told = async () =>
  (await eventsOf(bench))
    .filter(({ type }) => type === 'message.received')
    .map(({ data }) => String(data.message?.subject))

async function expectBackingOff(id: string): Promise<void> {
  const channel = await bench.channels.get(id)
  expect(connectionOf(channel).state).toBe('backing_off')
  expect(channel.auth.state).toBe('connected')
  expect((await eventTypes(bench)).filter(type => type.startsWith('channel.'))).toEqual([])
}

test('I8: a server that nobody can reach: back off, prompt nobody', async () => {
  const channel = await addChannel(bench, { provider: 'nowhere' })
  await poll(channel.id, ada.id)
  await expectBackingOff(channel.id)
  expect(await told()).toEqual(['to ada'])
})

test.each<[string, Partial<ScriptedImap>]>([
  ['at the greeting', { greeting: 'drop' }],
  ['in the middle of the sign-in', { authenticate: 'drop' }],
  ['after the sign-in', { afterwards: 'drop' }],
  ['with a farewell', { greeting: '* BYE Server shutting down' }],
])('I8: a connection that ends %s: back off, prompt nobody', async (_when, script) => {
  Object.assign(imap, script)
  await poll(broken.id, ada.id)
  await expectBackingOff(broken.id)
  expect(await told()).toEqual(['to ada'])
})

test('a token endpoint that is down while the token is dead: back off, prompt nobody', async () => {
  const channel = await addChannel(bench, { provider: 'nowhere', tokens: { expiresInMs: 1 } })
  clock.advance(10)
  await poll(channel.id)
  await expectBackingOff(channel.id)
})

test('Exchange’s "authenticated but not connected" proves nothing: back off, prompt nobody', async () => {
  imap.afterwards = 'BAD User is authenticated but not connected.'
  await poll(broken.id)
  await expectBackingOff(broken.id)
})

test('one that was backing off comes back by itself', async () => {
  imap.greeting = 'drop'
  await poll(broken.id)
  const connections = imap.connections
  await poll(broken.id)
  expect(imap.connections).toBe(connections)
  clock.advance(61_000)
  await poll(broken.id)
  expect(imap.connections).toBe(connections + 1)
})

test('a channel whose grant is gone does not stop the others', async () => {
  const lost = await addChannel(bench)
  await bench.secrets.remove({ pk: `GRANT#${lost.grantId}`, sk: 'GRANT' })
  await poll(lost.id, ada.id)
  expect(await told()).toEqual(['to ada'])
})

test('I7: a damaged channel row does not stop the others', async () => {
  await bench.main.put({ pk: 'CHANNEL#ch_damaged', sk: 'CHANNEL', id: 'ch_damaged' })
  await poll('ch_damaged', ada.id)
  expect(await told()).toEqual(['to ada'])
})

test('I7: a server that says nothing at all holds its own mailbox only, and that only until the invocation ends', async () => {
  imap.greeting = 'hang'
  await pollIn({ channelIds: [broken.id, ada.id] }, bench.now() + 1_500)
  expect(await told()).toEqual(['to ada'])
})

/** The interval in which a mailbox is, by what stands in the slots of an hour. */
async function intervalOf(id: string): Promise<number | undefined> {
  const slots = await bench.slots.dueIn(Array.from({ length: 60 }, (_, minute) => minute))
  return slots.find(({ channelId }) => channelId === id)?.intervalMinutes
}

test('a mailbox that gets mail is polled more often, and less often again when it is quiet', async () => {
  await pollIn({ channelIds: [ada.id], intervals: [5] })
  expect(await intervalOf(ada.id)).toBe(1)
  const lastActiveAt = new Date(bench.now() - 60 * 60_000).toISOString()
  await bench.channels.change(ada.id, { lastActiveAt })
  await pollIn({ channelIds: [ada.id], intervals: [1] })
  expect(await intervalOf(ada.id)).toBe(5)
})

test('a mailbox whose owner must reconnect keeps a slot, where it costs next to nothing', async () => {
  await bench.channels.change(ada.id, { auth: { state: 'reconnect_required', fault: null, since: '' } })
  await pollIn({ channelIds: [ada.id], intervals: [5] })
  expect(await intervalOf(ada.id)).toBe(60)
})

test('a mailbox that its provider wants left alone moves to where it is asked less, and back once it works', async () => {
  await bench.slots.put({ channelId: broken.id, provider: 'scripted', intervalMinutes: 1 })
  imap.afterwards = 'BAD Request is throttled. Suggested Backoff Time: 2400000 milliseconds'
  await pollIn({ channelIds: [broken.id], intervals: [1] })
  expect(await intervalOf(broken.id)).toBe(15)
  await expectBackingOff(broken.id)
  imap.afterwards = null
  const { until } = connectionOf(await bench.channels.get(broken.id))
  clock.advance(Date.parse(until ?? '') - bench.now() + 1_000)
  await pollIn({ channelIds: [broken.id], intervals: [15] })
  expect(await intervalOf(broken.id)).toBe(5)
})

test('I7: a mailbox begins nothing more after a minute, whatever time the invocation has; the rest comes with its next turn', async () => {
  // Too large to come with one command.
  const large = (subject: string) =>
    `From: a@outside.example\nTo: ada@contoso.example\nSubject: ${subject}\n\n${`${'x'.repeat(70)}\n`.repeat(45_000)}`
  await mailboxes.deliver('ada', large('second'))
  await mailboxes.deliver('ada', large('third'))
  const { parser } = bench
  const slow: typeof parser = {
    ...parser,
    parse(raw) {
      clock.advance(61_000)
      return parser.parse(raw)
    },
  }
  const work = { services: { ...bench, parser: slow }, deadlineMs: bench.now() + 600_000 }
  await answerRecord(JSON.stringify({ channelIds: [ada.id] }), work)
  expect(await told()).toEqual(['to ada', 'second'])
  await poll(ada.id)
  expect(await told()).toEqual(['to ada', 'second', 'third'])
})

test('50 idle mailboxes in their right slots: three reads each at most, and not a single write', async () => {
  const channels = []
  for (let i = 0; i < 50; i++) channels.push(await addChannel(bench, { provider: 'scripted' }))
  const channelIds = channels.map(({ id }) => id)
  await pollIn({ channelIds })
  const batch = { channelIds, intervals: channelIds.map(() => 1) }
  const before = bench.stores.calls.length
  await pollIn(batch)
  const calls = bench.stores.calls.slice(before).map(({ command }) => command)
  expect(calls.filter(command => !/^(Get|BatchGet)/.test(command))).toEqual([])
  expect(calls.length).toBeLessThanOrEqual(3 * 50)
})

test('what waited so long that its next turn has come is left to that, so that no backlog is polled twice', async () => {
  const margaret = await mailboxes.connect(bench, 'margaret')
  await mailboxes.deliver('margaret', { subject: 'to margaret' })
  const waited = { channelIds: [ada.id, margaret.id], intervals: [5, 15], dueAtMs: bench.now() - 5 * 60_000 }
  await pollIn(waited)
  expect(await told()).toEqual(['to margaret'])
  await pollIn({ ...waited, dueAtMs: bench.now() - 4 * 60_000 })
  expect(await told()).toEqual(['to margaret', 'to ada'])
})

test('a poll that somebody asked for is made, however long it waited', async () => {
  await pollIn({ channelIds: [ada.id], isRequested: true })
  expect(await told()).toEqual(['to ada'])
})

test('of one batch no more than 50 mailboxes have a connection at the same time', async () => {
  imap.greeting = 'hang'
  const channelIds = []
  for (let i = 0; i < 60; i++) channelIds.push((await addChannel(bench, { provider: 'scripted' })).id)
  await pollIn({ channelIds }, bench.now() + 3_000)
  expect(imap.mostAtOnce).toBe(50)
})

test('channels that are gone or named twice do no harm', async () => {
  await poll('ch_unknown', ada.id, ada.id)
  expect(await told()).toEqual(['to ada'])
})

test.each(['', 'no json', '{}', '{"channelIds":[]}', '{"channelIds":[7]}'])(
  'the batch %j is dropped',
  async body => {
    const services = bench
    await answerRecord(body, { services, deadlineMs: bench.now() + 60_000 })
    expect(await eventsOf(bench)).toEqual([])
  },
)

test('I7: a mail with more in its header than a row can hold stops no mailbox', async () => {
  await poll(ada.id)
  const people = Array.from({ length: 200 }, (_, i) => `"${'n'.repeat(2_500)}" <p${i}@outside.example>`)
  await mailboxes.deliver('ada', `From: a@outside.example\nTo: ${people.join(',\n ')}\nSubject: huge\n\nHi\n`)
  await mailboxes.deliver('ada', { subject: 'behind it' })
  await poll(ada.id)
  await poll(ada.id)
  expect(await told()).toEqual(['to ada', 'huge', 'behind it'])
})

test('what one mailbox receives is told under its own account only', async () => {
  const margaret = await mailboxes.connect(bench, 'margaret', { accountId: 'other' })
  await mailboxes.deliver('margaret', { subject: 'to margaret' })
  await poll(margaret.id, ada.id)
  expect(await told()).toEqual(['to ada'])
  expect((await eventsOf(bench, 'other')).map(({ data }) => data.message?.subject)).toEqual(['to margaret'])
})
