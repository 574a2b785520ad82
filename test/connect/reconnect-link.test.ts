/** The link a prompt carries: it lives for a week, begins an ordinary sign-in, and can only cure its own channel. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { connect } from '../../functions/connect/connect.ts'
import { newSession, openBrowser, type SessionLink } from '../support/consent-walk.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest } from '../support/http-requests.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { eventsOf, eventTypes, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const dayMs = 24 * 3600_000

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  const { providers, apps, clock } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
  channel = await connectAs('ada')
})

async function connectAs(persona: string): Promise<Channel> {
  const session = await newSession(bench, { autoConfirm: true })
  const person = openBrowser(bench)
  await person.finish(await person.consent(session, persona))
  return bench.channels.get((await bench.sessions.get(session.id)).candidate?.channelId ?? '')
}

const codeOnPage = ({ body = '' }: HttpAnswer) => /<code>(\w+)<\/code>/.exec(body)?.[1]
const latest = () => bench.channels.get(channel.id)

/** The grant was found dead some time ago. @returns the link of the prompt */
async function promptedLink(agoMs = 0): Promise<SessionLink> {
  const { providers, apps } = mailboxes
  const clock = { now: () => bench.now() - agoMs, advance() {} }
  const then = openWorkbench(bench.stores, { providers, apps, clock })
  await then.health.failed(await latest(), 'imap', new PostroomError('grant_revoked'))
  const prompt = (await eventsOf(bench)).findLast(({ type }) => type === 'channel.reconnect_required')
  const { pathname } = new URL(String(prompt?.data.reconnectUrl))
  return { id: channel.id, ticket: pathname.slice('/connect/'.length) }
}

const sessionsStored = async () =>
  (await storedItems(bench)).filter(({ pk }) => String(pk).startsWith('SESSION#')).length

test('days later the owner follows it, signs in, and the channel is connected with all that waits', async () => {
  const link = await promptedLink(6 * dayMs)
  const ada = openBrowser(bench)
  const page = await ada.finish(await ada.consent(link, 'ada'))
  expect(page.body).toContain('Mailbox connected')
  const connected = await latest()
  expect(connected.auth.state).toBe('connected')
  expect(connected.grantId).not.toBe(channel.grantId)
  expect(connected.history.at(-1)).toMatchObject({ from: 'reconnect_required', reason: 'consented' })
  expect((await eventTypes(bench)).sort()).toEqual([
    'channel.connected',
    'channel.reconnect_required',
    'channel.reconnected',
  ])
  expect(bench.queues.rings).toContain(channel.id)
})

test('the page names the mailbox, and neither it nor a scanner that opens it begins anything', async () => {
  const link = await promptedLink()
  const before = await sessionsStored()
  const page = await openBrowser(bench).show(link)
  expect(page.statusCode).toBe(200)
  expect(page.body).toContain(channel.email)
  const routeKey = 'POST /connect/{ticket}'
  const pathParameters = { ticket: link.ticket }
  const answer = await connect(
    httpRequest(`POST /connect/${link.ticket}`, { routeKey, pathParameters }),
    bench,
  )
  expect(answer.statusCode).toBe(403)
  expect(await sessionsStored()).toBe(before)
})

test('another person who signs in by it changes nothing', async () => {
  const link = await promptedLink()
  const linus = openBrowser(bench)
  const page = await linus.finish(await linus.consent(link, 'grace'))
  expect(codeOnPage(page)).toBe('identity_mismatch')
  expect(await latest()).toMatchObject({ auth: { state: 'reconnect_required' }, grantId: channel.grantId })
})

test('after a week it has expired', async () => {
  const link = await promptedLink(7 * dayMs)
  expect(codeOnPage(await openBrowser(bench).show(link))).toBe('ticket_expired')
})

test('once the channel is connected again, it is not known any more', async () => {
  const link = await promptedLink()
  const ada = openBrowser(bench)
  await ada.finish(await ada.consent(link, 'ada'))
  expect(codeOnPage(await openBrowser(bench).show(link))).toBe('ticket_invalid')
})

/** Links were once a list in the channel's item, and of two writers one lost its own. */
test('of prompts that are told at the same moment, every link works', async () => {
  await promptedLink()
  const urls = await Promise.all(Array.from({ length: 20 }, async () => bench.links.create(await latest())))
  for (const url of urls) {
    const ticket = new URL(url).pathname.slice('/connect/'.length)
    expect((await openBrowser(bench).show({ id: '', ticket })).statusCode).toBe(200)
  }
})

test('a link of an earlier trouble leads nowhere while the channel works', async () => {
  const link = await promptedLink()
  await bench.health.proven(await latest(), { auth: { state: 'connected', fault: null, since: '' } })
  expect(codeOnPage(await openBrowser(bench).show(link))).toBe('ticket_invalid')
})

test('a made-up link, that of another channel, and that of a channel that was given up are not known', async () => {
  const link = await promptedLink()
  const other = await connectAs('grace')
  const secret = link.ticket.split('.')[1] ?? ''
  for (const ticket of [`${channel.id}.${'x'.repeat(43)}`, `${channel.id}.`, `${other.id}.${secret}`]) {
    expect(codeOnPage(await openBrowser(bench).show({ id: '', ticket }))).toBe('ticket_invalid')
  }
  await bench.channels.change(channel.id, { disconnectedAt: new Date(bench.now()).toISOString() })
  expect(codeOnPage(await openBrowser(bench).show(link))).toBe('ticket_invalid')
})

test('the channel keeps the hash of a link, never the link', async () => {
  const link = await promptedLink()
  const items = (await storedItems(bench)).filter(({ pk }) => String(pk).startsWith('CHANNEL#'))
  expect(JSON.stringify(items)).not.toContain(link.ticket.split('.')[1])
})
