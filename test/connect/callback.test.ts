/** Attacks on the callback: none makes or changes a channel, and who was attacked can still finish. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { type Browser, newSession, openBrowser, type SessionLink } from '../support/consent-walk.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startTokenEndpoint } from '../support/token-endpoint.ts'
import { openWorkbench, storedItems, type Workbench, type WorkbenchOptions } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock } = mailboxes

let bench: Workbench
let session: SessionLink
let ada: Browser
let callback: URL

async function open(changes: Partial<WorkbenchOptions> = {}): Promise<void> {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock, ...changes })
}

async function begin(
  changes: Parameters<typeof newSession>[1] = {},
  decision: 'accept' | 'decline' = 'accept',
) {
  session = await newSession(bench, changes)
  ada = openBrowser(bench)
  callback = await ada.consent(session, 'ada', decision)
}

beforeEach(async () => {
  await open()
})

const codeOnPage = ({ body = '' }: HttpAnswer) => /<code>(\w+)<\/code>/.exec(body)?.[1]
const sessionNow = () => bench.sessions.get(session.id)
const grants = async () => (await storedItems(bench)).filter(item => String(item.pk).startsWith('GRANT#'))

/** The callback with some of its parameters changed; null takes one away. */
function changed(changes: Record<string, string | null>): URL {
  const url = new URL(callback)
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) url.searchParams.delete(name)
    else url.searchParams.set(name, value)
  }
  return url
}

/** The attack was refused by this code, touched nothing, and the person's own answer still works. */
async function expectUntouched(answer: HttpAnswer, code: string): Promise<void> {
  expect(codeOnPage(answer)).toBe(code)
  expect((await sessionNow()).state).toBe('consenting')
  expect(await grants()).toEqual([])
  expect((await ada.finish(callback)).statusCode).toBe(200)
  expect((await sessionNow()).state).toBe('awaiting_confirmation')
}

test('a foreign browser cannot finish what another began', async () => {
  await begin()
  const other = await newSession(bench)
  const mallory = openBrowser(bench)
  await mallory.show(other)
  await expectUntouched(await mallory.finish(callback), 'browser_mismatch')
})

test('a browser without a cookie cannot finish', async () => {
  await begin()
  await expectUntouched(await openBrowser(bench).finish(callback), 'browser_mismatch')
})

test('login CSRF: a victim’s browser with its own sign-in cannot be given the attacker’s answer', async () => {
  await begin()
  const victim = openBrowser(bench)
  await victim.consent(await newSession(bench), 'margaret')
  await expectUntouched(await victim.finish(callback), 'browser_mismatch')
})

test('an answer at another provider’s callback is refused', async () => {
  await begin()
  const url = new URL(callback)
  url.pathname = '/oauth/google/callback'
  await expectUntouched(await ada.finish(url), 'state_invalid')
})

test.each([
  ['no state', null],
  ['an unknown state', 'cs_unknown.x'],
  ['a state that is no state', '%'],
])('an answer with %s is refused', async (_what, state) => {
  await begin()
  await expectUntouched(await ada.finish(changed({ state })), 'state_invalid')
})

test('an answer with this session’s id and another secret is refused', async () => {
  await begin()
  await expectUntouched(
    await ada.finish(changed({ state: `${session.id}.${'a'.repeat(43)}` })),
    'state_invalid',
  )
})

test('a ticket is no state', async () => {
  await begin()
  await expectUntouched(await ada.finish(changed({ state: session.ticket })), 'state_invalid')
})

test('an answer counts once: replayed, it changes nothing', async () => {
  await begin()
  await ada.finish(callback)
  const before = await sessionNow()
  expect(codeOnPage(await ada.finish(callback))).toBe('state_used')
  expect(await sessionNow()).toEqual(before)
  expect(await grants()).toHaveLength(1)
})

test('of the same answer twice at once, one counts', async () => {
  await begin()
  const answers = await Promise.all([ada.finish(callback), ada.finish(callback), ada.finish(callback)])
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 410, 410])
  expect((await sessionNow()).state).toBe('awaiting_confirmation')
  expect(await grants()).toHaveLength(1)
})

test('an answer that comes too late is refused', async () => {
  await begin()
  clock.advance(11 * 60_000)
  expect(codeOnPage(await ada.finish(callback))).toBe('state_expired')
  expect((await sessionNow()).state).toBe('expired')
  expect(await grants()).toEqual([])
})

test.each([
  ['the issuer of another provider', { iss: 'https://evil.example' }, 'issuer_mismatch'],
  ['no code', { code: null }, 'code_missing'],
  ['an empty code', { code: '' }, 'code_missing'],
  ['a code of nobody', { code: 'made-up' }, 'code_refused'],
  ['access_denied', { code: null, error: 'access_denied' }, 'consent_declined'],
  ['another error', { code: null, error: '<script>', error_description: '<script>' }, 'consent_failed'],
] as const)(
  'an answer with %s fails the session, which says why, and keeps no grant',
  async (_what, changes, code) => {
    await begin()
    const page = await ada.finish(changed(changes))
    expect(codeOnPage(page)).toBe(code)
    expect(await sessionNow()).toMatchObject({ state: 'failed', fault: { code } })
    expect(page.body).not.toContain('<script>')
    expect(await grants()).toEqual([])
  },
)

test('an administrator’s answer is a page and changes nothing, whatever tenant it names', async () => {
  await begin()
  const before = await storedItems(bench)
  const answer = new URL(callback.origin + callback.pathname)
  answer.search = new URLSearchParams({ admin_consent: 'True', tenant: 'made-up', state: 'admin' }).toString()
  const page = await ada.finish(answer)
  expect(page.body).toContain('Approved for your organization')
  expect(page.body).not.toContain('made-up')
  expect(await storedItems(bench)).toEqual(before)
})

test('a code is not redeemed for an answer that names another issuer', async () => {
  const endpoint = await startTokenEndpoint()
  const { microsoft, ...others } = mailboxes.providers
  if (!microsoft) throw new Error('There is no entry for microsoft')
  await open({ providers: { ...others, microsoft: { ...microsoft, tokenEndpoint: endpoint.url } } })
  await begin()
  await ada.finish(changed({ iss: 'https://evil.example' }))
  expect(endpoint.requests).toEqual([])
})

test('whoever declines gets a page with the way back, and the app the reason', async () => {
  await begin({ returnUrl: 'https://app.example/connected' }, 'decline')
  const page = await ada.finish(callback)
  expect(page.body).toContain(`https://app.example/connected?connect_session=${session.id}&#38;status=failed`)
  expect(await sessionNow()).toMatchObject({
    state: 'failed',
    fault: { code: 'consent_declined', actor: 'owner' },
  })
})

test('I9: a failed session shows neither code nor token', async () => {
  await begin()
  await ada.finish(changed({ code: 'made-up-code' }))
  expect(JSON.stringify(await sessionNow())).not.toMatch(/made-up-code|sandbox~only/)
})

test('mail scopes that were not granted fail the session', async () => {
  const { microsoft, ...others } = mailboxes.providers
  if (!microsoft) throw new Error('There is no entry for microsoft')
  const mailScopes = { imap: 'IMAP.AccessAsUser.All', smtp: 'SMTP.SendEverything' }
  await open({ providers: { ...others, microsoft: { ...microsoft, mailScopes } } })
  await begin()
  const page = await ada.finish(callback)
  expect(codeOnPage(page)).toBe('scope_missing')
  expect(page.body).toContain('SMTP.SendEverything')
})

async function connected(): Promise<Channel> {
  await begin({ autoConfirm: true })
  await ada.finish(callback)
  return bench.channels.get((await sessionNow()).candidate?.channelId ?? '')
}

test.each(['declined', 'failed', 'by another person', 'expired'])(
  'a reconnect that is %s leaves the channel as it is',
  async how => {
    const before = await connected()
    await begin({ channelId: before.id, autoConfirm: true }, how === 'declined' ? 'decline' : 'accept')
    if (how === 'failed') callback = changed({ code: 'made-up' })
    if (how === 'expired') clock.advance(11 * 60_000)
    if (how === 'by another person') {
      ada = openBrowser(bench)
      callback = await ada.consent(
        await newSession(bench, { channelId: before.id, autoConfirm: true }),
        'margaret',
      )
    }
    const page = await ada.finish(callback)
    expect(page.statusCode).toBeGreaterThanOrEqual(400)
    expect(await bench.channels.get(before.id)).toEqual(before)
  },
)

test('another mailbox than the one to reconnect is refused, saying which it must be', async () => {
  const before = await connected()
  session = await newSession(bench, { channelId: before.id, autoConfirm: true })
  const margaret = openBrowser(bench)
  const page = await margaret.finish(await margaret.consent(session, 'margaret'))
  expect(codeOnPage(page)).toBe('identity_mismatch')
  expect(page.body).toContain('ada@contoso.example')
  expect(await sessionNow()).toMatchObject({ state: 'failed', fault: { code: 'identity_mismatch' } })
})
