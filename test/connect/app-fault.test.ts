/** A sign-in shows, as a refresh does, whether the provider takes the OAuth app itself: it opens and closes the app's breaker. */

import { beforeEach, expect, test } from 'vitest'
import { api } from '../../functions/api/api.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { newSession, openBrowser } from '../support/consent-walk.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest, jsonOf } from '../support/http-requests.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { type ScriptedAnswer, startTokenEndpoint, type TokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, eventTypes, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock } = mailboxes

/** Over the sandbox, whose token endpoint works. */
let bench: Workbench
/** Over the same stores, with a token endpoint that answers as scripted. */
let refusing: Workbench
let endpoint: TokenEndpoint
let channel: Channel

const secretExpired: ScriptedAnswer = {
  status: 401,
  body: { error: 'invalid_client', error_codes: [7000222] },
}

beforeEach(async () => {
  const { providers, apps } = mailboxes
  endpoint = await startTokenEndpoint()
  const { microsoft, ...others } = providers
  if (!microsoft) throw new Error('There is no entry for microsoft')
  const stores = await engines.fresh()
  bench = openWorkbench(stores, { providers, apps, clock })
  const scripted = { ...others, microsoft: { ...microsoft, tokenEndpoint: endpoint.url } }
  refusing = openWorkbench(stores, { providers: scripted, apps, clock })
  channel = await addChannel(bench, { tokens: { expiresInMs: 1 } })
})

/** @returns the code on the page that the person gets, or undefined if the sign-in worked */
async function signIn(at: Workbench, accountId = 'acme'): Promise<string | undefined> {
  const session = await newSession(at, { accountId })
  const ada = openBrowser(at)
  const page = await ada.finish(await ada.consent(session, 'ada'))
  return /<code>(\w+)<\/code>/.exec(page.body ?? '')?.[1]
}

const refreshed = async () => (await thrownBy(() => refusing.tokens.accessToken(channel))).code

const shown = async () => jsonOf(await api(httpRequest(`GET /v1/channels/${channel.id}`), refusing))

test('a refused app holds back all its channels, though only a sign-in has met it', async () => {
  endpoint.always = secretExpired
  expect(await signIn(refusing)).toBe('app_credentials_refused')
  expect(await refreshed()).toBe('app_credentials_refused')
  expect(endpoint.requests).toHaveLength(1)
  expect(await eventTypes(bench)).toEqual(['app.fault'])
  expect(await eventTypes(bench, '-')).toEqual(['app.fault'])
})

test('a sign-in is tried while the app is refused, and one that works ends it for all', async () => {
  endpoint.always = secretExpired
  await signIn(refusing)
  expect(await signIn(bench, 'other')).toBeUndefined()
  endpoint.always = undefined
  endpoint.accept((await bench.grants.open(owner(), await bench.grants.read(owner()))).refreshToken)
  const later = openWorkbench(bench.stores, { providers: refusing.providers, apps: mailboxes.apps, clock })
  expect(await later.tokens.accessToken(channel)).toMatch(/^access-/)
  expect((await bench.breaker.standing()).recovered).toHaveLength(1)
})

const owner = () => ({ grantId: channel.grantId, accountId: channel.accountId, channelId: channel.id })

test.each<[string, ScriptedAnswer, string]>([
  ['a malformed code', { status: 400, body: { error: 'invalid_request' } }, 'app_misconfigured'],
  ['a used code', { status: 400, body: { error: 'invalid_grant', error_codes: [54005] } }, 'code_refused'],
  [
    'one organization without the app',
    { status: 400, body: { error: 'unauthorized_client', error_codes: [700016] } },
    'app_refused_in_tenant',
  ],
  ['an outage', { status: 503, body: '<html></html>' }, 'provider_unreachable'],
])('what a browser brings cannot hold back others: %s', async (_what, answer, code) => {
  endpoint.always = answer
  expect(await signIn(refusing)).toBe(code)
  endpoint.always = undefined
  endpoint.accept((await bench.grants.open(owner(), await bench.grants.read(owner()))).refreshToken)
  expect(await refusing.tokens.accessToken(channel)).toMatch(/^access-/)
  expect(await eventTypes(bench)).toEqual([])
})

test('while the app is refused, its channels show it, one by one and in lists, and none of it is stored', async () => {
  expect((await shown()).auth.state).toBe('connected')
  endpoint.always = secretExpired
  await signIn(refusing)
  expect((await shown()).auth).toMatchObject({
    state: 'app_fault',
    fault: {
      code: 'app_credentials_refused',
      actor: 'operator',
      evidence: expect.stringContaining('7000222'),
    },
    since: expect.any(String),
  })
  const list = jsonOf(await api(httpRequest('GET /v1/channels', { query: { accountId: 'acme' } }), refusing))
  expect(list.channels[0].auth.state).toBe('app_fault')
  expect(await bench.channels.get(channel.id)).toEqual(channel)
  await signIn(bench)
  expect((await shown()).auth).toEqual(channel.auth)
})

test.each(['grant_revoked', 'smtp_disabled'] as const)(
  'what the owner or an administrator must mend in any case (%s) is shown before the refused app',
  async code => {
    await bench.health.failed(channel, 'smtp', new PostroomError(code))
    endpoint.always = secretExpired
    await signIn(refusing)
    expect((await shown()).auth.fault.code).toBe(code)
  },
)

test('a channel of another app, another organization or a disconnected one shows nothing of it', async () => {
  await refusing.breaker.codeRefused(channel, new PostroomError('app_credentials_refused'))
  const others = [
    { ...channel, clientId: 'another-app' },
    { ...channel, provider: 'google' },
    { ...channel, disconnectedAt: new Date(bench.now()).toISOString() },
  ]
  expect(await bench.breaker.shown(others)).toEqual(others)
})
