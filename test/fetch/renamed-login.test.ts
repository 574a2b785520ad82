/** An administrator renames a sign-in name (row S9): the next refresh tells, a probe proves, and nothing gets worse. */

import { expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { startScriptedSmtp } from '../support/scripted-smtp.ts'
import { startSigningKeys } from '../support/signing-keys-endpoint.ts'
import { providersWith } from '../support/test-providers.ts'
import { startTokenEndpoint } from '../support/token-endpoint.ts'
import {
  addChannel,
  eventTypes,
  openWorkbench,
  testApp,
  type Workbench,
  writesIn,
} from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const minuteMs = 60_000
const hourMs = 60 * minuteMs
const renamed = 'grace.hopper@tenant-a.example'
const alias = 'Grace.Hopper@tenant-b.example'

async function poll(bench: Workbench, { id }: Channel): Promise<Channel> {
  const options = { services: bench, deadlineMs: bench.now() + hourMs, isRequested: false }
  await pollMailbox(await bench.channels.get(id), options).catch(() => undefined)
  return bench.channels.get(id)
}

test('a refresh tells the new name; the login for sending heals before any mail was refused, and reading goes on in the same poll', async () => {
  const { providers, apps } = mailboxes
  const bench = openWorkbench(await engines.fresh(), { providers, apps })
  const before = { imap: alias, smtp: 'grace@tenant-a.example' }
  const channel = await mailboxes.connect(bench, 'grace', { login: before, email: alias })
  await poll(bench, channel)
  const response = await fetch(`${mailboxes.sandbox.origin}/personas/grace`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ signInName: renamed }),
  })
  expect(response.status).toBe(200)
  // The token is due, and what the sandbox gives by its own clock has not ended yet.
  bench.clock.advance(56 * minuteMs)
  expect((await poll(bench, channel)).login).toEqual(before)
  await mailboxes.deliver('grace', { subject: 'after the rename' })
  const healed = await poll(bench, channel)
  // Reading works under the address it always worked under.
  expect(healed.login).toEqual({ imap: alias, smtp: renamed })
  expect([healed.auth.state, healed.nextProbeAt, healed.email]).toEqual(['connected', null, alias])
  expect(await eventTypes(bench)).toEqual(['channel.login_healed', 'message.received'])
})

let smtp: Awaited<ReturnType<typeof startScriptedSmtp>>
let imap: Awaited<ReturnType<typeof startScriptedImap>>

/** A channel whose refreshes tell another name than the stored one. */
async function otherwiseNamed() {
  smtp = await startScriptedSmtp()
  imap = await startScriptedImap()
  const endpoint = await startTokenEndpoint()
  const keys = await startSigningKeys()
  const identity = { tid: '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10', oid: 'ada' }
  const issuer = `${keys.origin}/{tid}/v2.0`
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({
      ...{ smtp: smtp.server, imap: imap.server, tokenEndpoint: endpoint.url },
      ...{ jwksUri: keys.jwksUri, issuer },
    }),
  })
  const sayName = async (preferred_username: string) => {
    const iat = Math.floor(bench.now() / 1000)
    const claims = {
      ...identity,
      sub: 'ada',
      preferred_username,
      aud: testApp.clientId,
      iat,
      exp: iat + 7200,
    }
    const iss = issuer.replace('{tid}', identity.tid)
    endpoint.answer = { id_token: await keys.sign({ ...claims, iss }) }
  }
  endpoint.accept('refresh-0')
  const channel = await addChannel(bench, {
    identity,
    tokens: { accessToken: 'access-0', refreshToken: 'refresh-0' },
  })
  /** An hour passes, in which the token ends. */
  const hour = async (name: string) => {
    bench.clock.advance(hourMs)
    await sayName(name)
    return poll(bench, channel)
  }
  return { bench, endpoint, channel, hour }
}

const signIns = () => smtp.lines.filter(line => line.startsWith('AUTH')).length

test('while the servers accept the old name it is kept, and they are asked once, not at every refresh', async () => {
  const { hour, endpoint } = await otherwiseNamed()
  const old = { imap: 'ada@contoso.example', smtp: 'ada@contoso.example' }
  for (let hours = 0; hours < 5; hours++) {
    expect((await hour('ada.lovelace@contoso.example')).login).toEqual(old)
  }
  expect(signIns()).toBe(1)
  expect(endpoint.requests).toHaveLength(5)
})

test('a new name that a server refuses changes nothing, and marks nothing', async () => {
  const { bench, hour } = await otherwiseNamed()
  await hour('ada.lovelace@contoso.example')
  // One that is refused under both names now, for whatever reason of its own.
  smtp.always.auth = '535 5.7.3 Authentication unsuccessful [TEST]'
  const channel = await hour('ada.lovelace@contoso.example')
  expect(signIns()).toBe(2)
  expect(channel).toMatchObject({
    login: { imap: 'ada@contoso.example', smtp: 'ada@contoso.example' },
    auth: { state: 'connected' },
    access: { smtp: { state: 'ok' }, imap: { state: 'ok' } },
  })
  expect(await eventTypes(bench)).toEqual([])
})

test('where no server gives a verdict it is tried again half an hour later', async () => {
  const { bench, channel, hour } = await otherwiseNamed()
  await hour('ada.lovelace@contoso.example')
  smtp.script.auth = ['421 4.3.2 Service not available']
  const { nextProbeAt } = await poll(bench, channel)
  expect(Date.parse(nextProbeAt ?? '') - bench.now()).toBeGreaterThan(hourMs / 2 - minuteMs)
  bench.clock.advance(hourMs / 2)
  expect((await poll(bench, channel)).nextProbeAt).toBeNull()
})

test('while the mailbox rests, as its provider has asked for, it is not probed either', async () => {
  const { bench, channel, hour } = await otherwiseNamed()
  imap.afterwards = 'BAD Request is throttled. Suggested Backoff Time: 18000000 milliseconds'
  await hour('ada.lovelace@contoso.example')
  expect((await bench.channels.get(channel.id)).nextProbeAt).not.toBeNull()
  await poll(bench, channel)
  expect(signIns()).toBe(0)
})

test('a name that differs in case only is the known one: a refresh costs no write to the channel', async () => {
  const { bench, hour } = await otherwiseNamed()
  await hour('Ada@Contoso.example')
  const before = writesIn(bench.stores)
  const channel = await hour('Ada@Contoso.example')
  expect(channel.nextProbeAt).toBeNull()
  // The lease and the token.
  expect(writesIn(bench.stores) - before).toBe(2)
})
