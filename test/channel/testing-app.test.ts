/** An OAuth app that is not published loses each grant a week after the consent: the operator is told why. */

import { expect, test } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { revoked, startTokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const hourMs = 3600_000
const weekMs = 7 * 24 * hourMs

test.each([
  ['at the next refresh after a week', weekMs + hourMs, 7, 'grant_ended_in_testing'],
  ['before a week is over', weekMs - hourMs, 7, 'grant_revoked'],
  ['days later', weekMs + 48 * hourMs, 7, 'grant_revoked'],
  ['at a provider that does not do that', weekMs + hourMs, undefined, 'grant_revoked'],
])('a grant that ends %s: %i ms, %s days, %s', async (_when, afterMs, grantDaysInTesting, code) => {
  const endpoint = await startTokenEndpoint()
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ tokenEndpoint: endpoint.url, grantDaysInTesting }),
  })
  const step = { axis: 'auth' as const, protocol: null, evidence: null, from: 'none', to: 'connected' }
  const at = (ms: number) => new Date(bench.now() + ms).toISOString()
  const channel = await addChannel(bench, {
    connectedAt: at(-100 * weekMs),
    history: [
      { ...step, reason: 'consented', at: at(-100 * weekMs) },
      { ...step, reason: 'consented', at: at(0) },
      { ...step, reason: 'worked', at: at(hourMs) },
    ],
  })
  bench.clock.advance(afterMs)
  endpoint.script.push(revoked)
  expect((await thrownBy(() => bench.tokens.accessToken(channel))).code).toBe(code)
})
