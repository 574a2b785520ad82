/** The race of token-races.test.ts against the sandbox's own rotation: a refresh token works once, and its reuse ends all of the grant. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { askForTokens, follow } from '../sandbox/running-sandbox.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { newTokenWorker } from '../support/token-worker.ts'
import { openWorkbench, ownerOf } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const minuteMs = 60_000
const workers = 50

/** The sandbox serves its token endpoint in this very process. */
function countTokenCalls(): { count: number } {
  const calls = { count: 0 }
  const look = (message: unknown) => {
    const { request } = message as { request: IncomingMessage }
    if (request.url?.endsWith('/oauth2/v2.0/token')) calls.count += 1
  }
  subscribe('http.server.request.start', look)
  onTestFinished(() => void unsubscribe('http.server.request.start', look))
  return calls
}

test(`${workers} workers at an ended token of the sandbox: one call for each expiry, and the grant lives on`, async () => {
  const { providers, apps } = mailboxes
  const bench = openWorkbench(await engines.fresh(), { providers, apps })
  const channel = await mailboxes.connect(bench, 'ada')
  await follow(mailboxes.sandbox, { persona: 'ada', script: 'refresh_tokens_work_once' })
  const refreshToken = async () =>
    (await bench.grants.open(ownerOf(channel), await bench.grants.read(ownerOf(channel)))).refreshToken
  const used = [await refreshToken()]
  const brokers = Array.from({ length: workers }, () => newTokenWorker(bench))
  const calls = countTokenCalls()
  const seen = new Set<string>()
  for (let expiry = 1; expiry <= 3; expiry++) {
    bench.clock.advance(120 * minuteMs)
    const tokens = new Set(await Promise.all(brokers.map(broker => broker.accessToken(channel))))
    expect(tokens.size).toBe(1)
    for (const token of tokens) seen.add(token)
    expect([calls.count, seen.size]).toEqual([expiry, expiry])
    used.push(await refreshToken())
  }
  expect(new Set(used).size).toBe(4)
  // A worker that had shown an old one would have been seen: that ends the present one as well.
  const redeem = async (token = '') =>
    (await askForTokens(mailboxes.sandbox, { form: { grant_type: 'refresh_token', refresh_token: token } }))
      .status
  expect(await redeem(used[0])).toBe(400)
  expect(await redeem(used[3])).toBe(400)
})
