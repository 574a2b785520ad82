/** Mailboxes that were connected elsewhere are taken over by their refresh token; what cannot be told apart is refused. */

import { beforeEach, expect, test, vi } from 'vitest'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { connect } from '../../functions/connect/connect.ts'
import { signIn } from '../sandbox/running-sandbox.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest, jsonOf, problemOf, type RequestParts } from '../support/http-requests.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { useReceivers } from '../support/webhook-receiver.ts'
import { eventTypes, openWorkbench, storedItems, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const receivers = useReceivers()
const { clock } = mailboxes
let bench: Workbench

beforeEach(async () => {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
})

/** A consent that another system got, for the same OAuth app. */
async function tokenOf(persona: string, provider: 'microsoft' | 'google' = 'microsoft'): Promise<string> {
  const { tokens } = await signIn(mailboxes.sandbox, { persona, provider })
  return tokens.refresh_token ?? ''
}

/** Google gives one at a person's first consent only, and rotates none. */
let ofLinus: Promise<string> | undefined
function tokenOfLinus(): Promise<string> {
  ofLinus ??= tokenOf('linus', 'google')
  return ofLinus
}

async function follow(persona: string, script: string | null): Promise<void> {
  const response = await fetch(`${mailboxes.sandbox.origin}/personas/${persona}/script`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ script }),
  })
  expect(response.status).toBe(200)
}

const grace = { email: 'Grace.Hopper@tenant-b.example', login: 'grace@tenant-a.example' }

function importing(body: object, parts: RequestParts = {}): Promise<HttpAnswer> {
  const request = { accountId: 'acme', provider: 'microsoft', ...grace, ...body }
  return connect(httpRequest('POST /v1/channels/import', { body: request, ...parts }), bench)
}

test('a refresh token becomes a channel by the way of a consent: proven logins, announced once, polled and drained', async () => {
  const answer = await importing({ refreshToken: await tokenOf('grace') })
  expect(answer.statusCode).toBe(200)
  const { state, channel } = jsonOf(answer)
  expect({ state, channel }).toMatchObject({
    state: 'imported',
    channel: {
      accountId: 'acme',
      email: 'Grace.Hopper@tenant-b.example',
      login: { imap: 'grace@tenant-a.example', smtp: 'grace@tenant-a.example' },
      auth: { state: 'connected' },
    },
  })
  expect(await eventTypes(bench)).toEqual(['channel.connected'])
  expect(bench.queues).toMatchObject({ asked: [channel.id], rings: [channel.id] })
})

test('the token that the provider rotated is the one that is kept', async () => {
  const old = await tokenOf('grace')
  const { channel } = jsonOf(await importing({ refreshToken: old }))
  const { grantId, accountId, id: channelId } = await bench.channels.get(channel.id)
  const owner = { grantId, accountId, channelId }
  const kept = await bench.grants.open(owner, await bench.grants.read(owner))
  expect(kept.refreshToken).not.toBe(old)
  // And it works.
  await bench.tokens.freshSignIn(await bench.channels.get(channel.id))
})

test('where the provider rotates none, the one that was brought is kept', async () => {
  const refreshToken = await tokenOfLinus()
  const email = 'linus@gmail-sandbox.example'
  const { channel } = jsonOf(await importing({ provider: 'google', email, login: email, refreshToken }))
  const { grantId, accountId, id: channelId } = await bench.channels.get(channel.id)
  const owner = { grantId, accountId, channelId }
  expect((await bench.grants.open(owner, await bench.grants.read(owner))).refreshToken).toBe(refreshToken)
})

test('the same import again finds the channel, and uses the token no second time', async () => {
  const refreshToken = await tokenOf('grace')
  const first = jsonOf(await importing({ refreshToken }))
  const { grantId } = await bench.channels.get(first.channel.id)
  const second = jsonOf(await importing({ refreshToken }))
  expect(second).toMatchObject({ state: 'exists', channel: { id: first.channel.id } })
  expect((await bench.channels.get(first.channel.id)).grantId).toBe(grantId)
  expect(await eventTypes(bench)).toEqual(['channel.connected'])
})

test('two imports of one token at once use it once', async () => {
  const refreshToken = await tokenOf('grace')
  const answers = await Promise.all([importing({ refreshToken }), importing({ refreshToken })])
  const outcomes = answers.map(answer =>
    answer.statusCode === 200 ? jsonOf(answer).state : problemOf(answer).code,
  )
  expect(outcomes.sort()).toEqual(['import_running', 'imported'])
})

test('a channel that works keeps its grant, whatever token is imported', async () => {
  const { channel } = jsonOf(await importing({ refreshToken: await tokenOf('grace') }))
  const { grantId } = await bench.channels.get(channel.id)
  const again = jsonOf(await importing({ refreshToken: await tokenOf('grace') }))
  expect(again).toMatchObject({ state: 'exists', channel: { id: channel.id } })
  expect((await bench.channels.get(channel.id)).grantId).toBe(grantId)
})

test('a dry run uses no token and stores nothing', async () => {
  const refreshToken = await tokenOf('grace')
  const before = await storedItems(bench)
  expect(jsonOf(await importing({ refreshToken, dryRun: true }))).toEqual({
    state: 'importable',
    channel: null,
  })
  expect(await storedItems(bench)).toEqual(before)
  expect(jsonOf(await importing({ refreshToken })).state).toBe('imported')
  expect(jsonOf(await importing({ refreshToken, dryRun: true })).state).toBe('exists')
})

test('a token of another mailbox than the row says is refused, and both are named', async () => {
  const answer = await importing({ refreshToken: await tokenOf('ada') })
  expect(problemOf(answer)).toMatchObject({
    code: 'identity_mismatch',
    errors: [{ field: 'email', rule: expect.stringContaining('ada@contoso.example'), found: grace.email }],
  })
  expect((await bench.channels.list('acme', { after: undefined, limit: 10 })).items).toEqual([])
})

test('where no id_token comes back nobody knows whose the mailbox is, and it is refused', async () => {
  const refreshToken = await tokenOf('grace')
  await follow('grace', 'no_id_token')
  const answer = await importing({ refreshToken })
  await follow('grace', null)
  expect(problemOf(answer)).toMatchObject({
    code: 'id_token_missing',
    detail: expect.stringContaining('openid'),
  })
  // Once that is mended, the same call goes through.
  expect(jsonOf(await importing({ refreshToken: await tokenOf('grace') })).state).toBe('imported')
})

test('a token that the provider has ended says so, and the next one is taken', async () => {
  const answer = await importing({ refreshToken: 'never-issued' })
  expect(problemOf(answer).code).toBe('grant_revoked')
  expect(problemOf(await importing({ refreshToken: 'never-issued' })).code).toBe('grant_revoked')
})

test('a token of another OAuth app is refused before it is used', async () => {
  const answer = await importing({ refreshToken: await tokenOf('grace'), clientId: 'another-app' })
  expect(problemOf(answer)).toMatchObject({
    code: 'app_replaced',
    errors: [{ field: 'clientId', found: 'another-app' }],
  })
})

test('a shared mailbox comes with the token of who may open it', async () => {
  const refreshToken = await tokenOf('ada')
  const wanted = { email: 'ada@contoso.example', login: 'ada@contoso.example', refreshToken }
  const { channel } = jsonOf(await importing({ ...wanted, sharedMailbox: 'support@contoso.example' }))
  expect(channel).toMatchObject({
    email: 'support@contoso.example',
    login: { imap: 'support@contoso.example', smtp: 'ada@contoso.example' },
  })
})

test('what a server forbids is named on the channel, as after a consent', async () => {
  const refreshToken = await tokenOf('grace')
  await follow('grace', 'smtp_disabled_tenant')
  const { channel } = jsonOf(await importing({ refreshToken }))
  await follow('grace', null)
  expect(channel.auth).toMatchObject({ state: 'blocked_by_admin', fault: { code: 'smtp_disabled' } })
})

test('a mailbox that cannot be used is refused, and nothing is revoked: the other system lives on the token', async () => {
  const revocations = await receivers.open()
  const { providers, apps } = mailboxes
  const { microsoft } = providers
  if (!microsoft) throw new Error('The sandbox has it')
  const revoking = { ...providers, microsoft: { ...microsoft, revocationEndpoint: revocations.url } }
  bench = openWorkbench(bench.stores, { providers: revoking, apps, clock })
  const refreshToken = await tokenOf('grace')
  await follow('grace', 'no_licence')
  const refused = await importing({ refreshToken })
  await follow('grace', null)
  expect(problemOf(refused).code).toBe('mailbox_unusable')
  expect(revocations.received).toEqual([])
  const items = await storedItems(bench)
  expect(items.filter(({ pk }) => String(pk).startsWith('GRANT#'))).toEqual([])
})

test('I6: no token of an account may import, not even into its own', async () => {
  const refreshToken = await tokenOf('grace')
  bench.tokenRules.accountClaim = 'account'
  const answer = await importing({ refreshToken }, { claims: { account: 'acme' } })
  expect(problemOf(answer)).toMatchObject({ status: 403, code: 'operator_required' })
})

test('I9: the refresh token stands in no answer, no log and no item, whatever went wrong', async () => {
  const lines: string[] = []
  for (const method of ['log', 'error', 'info', 'warn'] as const)
    vi.spyOn(console, method).mockImplementation((...parts) => void lines.push(parts.map(String).join(' ')))
  const secret = await tokenOf('grace')
  const answers = [
    await importing({ refreshToken: `${secret}\n` }),
    await importing({ refreshToken: [secret] }),
    await importing({ refresh_token: secret }),
    await importing({ refreshToken: 'x', refreshTokens: secret }),
    await importing({}, { body: `{"refreshToken":"${secret}"` }),
    await importing({ refreshToken: secret, email: 'not an address' }),
    await importing({ refreshToken: secret, clientId: 'another-app' }),
    await importing({ refreshToken: secret, email: 'x@y.example', login: undefined }),
    await importing({ refreshToken: await tokenOf('grace') }),
  ]
  vi.restoreAllMocks()
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([400, 400, 400, 400, 400, 400, 502, 409, 200])
  const everything = [...answers.map(({ body }) => body), ...lines, JSON.stringify(await storedItems(bench))]
  expect(everything.join('\n')).not.toContain(secret)
})
