/** A mailbox owner's way to a channel, through the sandbox's real consent, and everything that can be tried on it. */

import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { connect } from '../../functions/connect/connect.ts'
import { newSession, openBrowser } from '../support/consent-walk.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest } from '../support/http-requests.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { eventTypes, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock } = mailboxes

let bench: Workbench

beforeEach(async () => {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
})

const browser = () => openBrowser(bench)
const stateOf = async (id: string) => (await bench.sessions.get(id)).state
const codeOnPage = ({ body = '' }: HttpAnswer) => /<code>(\w+)<\/code>/.exec(body)?.[1]

test('the whole way: consent, then the session waits for the app’s word, and there is no channel yet', async () => {
  const session = await newSession(bench)
  const ada = browser()
  const page = await ada.finish(await ada.consent(session, 'ada'))
  expect(page.statusCode).toBe(200)
  expect(page.body).toContain('ada@contoso.example')
  const { state, candidate } = await bench.sessions.get(session.id)
  expect(state).toBe('awaiting_confirmation')
  expect(candidate).toMatchObject({ email: 'ada@contoso.example', login: { imap: 'ada@contoso.example' } })
  expect(await bench.channels.find(candidate?.channelId ?? '')).toBeUndefined()
  expect(await eventTypes(bench)).toEqual([])
})

test('the founding persona: login is the UPN, email the mailbox’s address', async () => {
  const session = await newSession(bench, { autoConfirm: true })
  const grace = browser()
  await grace.finish(await grace.consent(session, 'grace'))
  const { candidate } = await bench.sessions.get(session.id)
  expect(await bench.channels.get(candidate?.channelId ?? '')).toMatchObject({
    email: 'Grace.Hopper@tenant-b.example',
    login: { imap: 'grace@tenant-a.example', smtp: 'grace@tenant-a.example' },
    auth: { state: 'connected' },
  })
  expect(await eventTypes(bench)).toEqual(['channel.connected'])
})

test('with autoConfirm the channel is announced once, polled and drained', async () => {
  const session = await newSession(bench, { autoConfirm: true, returnUrl: 'https://app.example/connected' })
  const ada = browser()
  const answer = await ada.finish(await ada.consent(session, 'ada'))
  expect(answer.headers?.location).toBe(
    `https://app.example/connected?connect_session=${session.id}&status=connected`,
  )
  const id = (await bench.sessions.get(session.id)).candidate?.channelId ?? ''
  expect(bench.queues.asked).toEqual([id])
  expect(bench.queues.rings).toEqual([id])
})

test('the folders of the session are those that the channel reads', async () => {
  const session = await newSession(bench, { autoConfirm: true, folders: ['INBOX', 'sent'] })
  const ada = browser()
  await ada.finish(await ada.consent(session, 'ada'))
  const id = (await bench.sessions.get(session.id)).candidate?.channelId ?? ''
  expect((await bench.channels.get(id)).folders).toEqual(['INBOX', 'sent'])
})

test('the same person again is the same channel, reconnected', async () => {
  const ids = []
  for (let i = 0; i < 2; i++) {
    const session = await newSession(bench, { autoConfirm: true })
    const ada = browser()
    await ada.finish(await ada.consent(session, 'ada'))
    ids.push((await bench.sessions.get(session.id)).candidate?.channelId)
  }
  expect(ids[0]).toBe(ids[1])
  expect(await eventTypes(bench)).toEqual(['channel.connected', 'channel.reconnected'])
})

test('I6: the same person in another account is another channel', async () => {
  const ids = []
  for (const accountId of ['acme', 'other']) {
    const session = await newSession(bench, { autoConfirm: true, accountId })
    const ada = browser()
    await ada.finish(await ada.consent(session, 'ada'))
    ids.push((await bench.sessions.get(session.id)).candidate?.channelId)
  }
  expect(ids[0]).not.toBe(ids[1])
})

test('looking at the connect page consumes nothing, however often', async () => {
  const session = await newSession(bench)
  for (let i = 0; i < 3; i++) expect((await browser().show(session)).statusCode).toBe(200)
  expect(await stateOf(session.id)).toBe('open')
})

test('who pressed "back" may begin again in the same browser', async () => {
  const session = await newSession(bench)
  const ada = browser()
  await ada.consent(session, 'ada')
  const page = await ada.finish(await ada.consent(session, 'ada'))
  expect(page.statusCode).toBe(200)
  expect(await stateOf(session.id)).toBe('awaiting_confirmation')
})

/** The way that the failure's page offers. */
const againAfter = ({ body = '' }: HttpAnswer) => {
  const ticket = /href="\/connect\/([^"]+\.again)"/.exec(body)?.[1] ?? ''
  return { id: '', ticket }
}

test('who declined by mistake tries again from the page that says so, with the same link', async () => {
  const session = await newSession(bench)
  const ada = browser()
  const declined = await ada.finish(await ada.consent(session, 'ada', 'decline'))
  expect(codeOnPage(declined)).toBe('consent_declined')
  const page = await ada.finish(await ada.consent(againAfter(declined), 'ada'))
  expect(page.statusCode).toBe(200)
  expect(await bench.sessions.get(session.id)).toMatchObject({ state: 'awaiting_confirmation', fault: null })
})

test('nobody but the browser that failed may try again, and only while the link lives', async () => {
  const session = await newSession(bench)
  const ada = browser()
  const again = againAfter(await ada.finish(await ada.consent(session, 'ada', 'decline')))
  const thief = browser()
  expect(codeOnPage(await thief.show(again))).toBe('ticket_used')
  clock.advance(11 * 60_000)
  expect(codeOnPage(await ada.show(again))).toBe('ticket_expired')
})

test('there is nothing to try again before a sign-in has failed', async () => {
  const { id } = await newSession(bench)
  expect(codeOnPage(await browser().show({ id, ticket: `${id}.again` }))).toBe('ticket_used')
})

test('of two sign-ins that were begun, the older answer counts no more', async () => {
  const session = await newSession(bench)
  const ada = browser()
  const older = await ada.consent(session, 'ada')
  await ada.consent(session, 'ada')
  expect(codeOnPage(await ada.finish(older))).toBe('state_invalid')
})

test('a link that one browser has begun with is used up for every other', async () => {
  const session = await newSession(bench)
  await browser().start(session)
  const thief = browser()
  expect(codeOnPage(await thief.show(session))).toBe('ticket_used')
  expect(codeOnPage(await thief.start(session))).toBe('ticket_used')
})

test('nobody begins without the page’s cookie', async () => {
  const session = await newSession(bench)
  const answer = await connect(
    httpRequest(`POST /connect/${session.ticket}`, {
      routeKey: 'POST /connect/{ticket}',
      pathParameters: { ticket: session.ticket },
      headers: { accept: 'text/html' },
    }),
    bench,
  )
  expect(codeOnPage(answer)).toBe('browser_mismatch')
  expect(await stateOf(session.id)).toBe('open')
})

test.each(['', 'nothing', 'cs_unknown.secret', 'cs_%00.x', '.'])(
  'the ticket %j is not known',
  async ticket => {
    const answer = await browser().show({ id: '', ticket })
    expect(answer.statusCode).toBe(404)
    expect(codeOnPage(answer)).toBe('ticket_invalid')
  },
)

test('a ticket with another secret is not known', async () => {
  const session = await newSession(bench)
  expect(codeOnPage(await browser().show({ ...session, ticket: `${session.id}.${'a'.repeat(43)}` }))).toBe(
    'ticket_invalid',
  )
})

test('a link expires after ten minutes', async () => {
  const session = await newSession(bench)
  clock.advance(11 * 60_000)
  expect(codeOnPage(await browser().show(session))).toBe('ticket_expired')
})

test('the way to the provider carries state, nonce and a PKCE challenge, and no secret of ours', async () => {
  const session = await newSession(bench, { loginHint: 'ada@contoso.example' })
  const location = new URL((await browser().start(session)).headers?.location?.toString() ?? '')
  const query = Object.fromEntries(location.searchParams)
  expect(query).toMatchObject({
    response_type: 'code',
    code_challenge_method: 'S256',
    redirect_uri: 'http://localhost:4400/oauth/microsoft/callback',
    login_hint: 'ada@contoso.example',
  })
  expect(query.prompt).toBeUndefined()
  for (const name of ['state', 'nonce', 'code_challenge'])
    expect(query[name]?.length).toBeGreaterThanOrEqual(43)
  expect(location.href).not.toContain('client-secret-of-this-test')
})

test('I9: neither state, nonce, verifier, cookie nor ticket stand in the tables in clear, and none is logged', async () => {
  const lines: string[] = []
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation(line => lines.push(String(line)) > 0)
  onTestFinished(() => spy.mockRestore())
  const session = await newSession(bench)
  const ada = browser()
  const callback = await ada.consent(session, 'ada')
  const items = JSON.stringify(await storedItems(bench))
  await ada.finish(callback)
  await ada.finish(callback)
  const secrets = [
    session.ticket,
    callback.searchParams.get('state'),
    callback.searchParams.get('code'),
    ada.cookie,
    ada.nonce,
  ]
  expect(lines.length).toBeGreaterThan(0)
  for (const secret of secrets) {
    expect(secret?.length).toBeGreaterThan(10)
    expect(items).not.toContain(secret)
    expect(lines.join('\n')).not.toContain(secret)
  }
})
