/** What an IMAP sign-in that fails is called: only the server's verdict about the login is one. */

import { expect, test } from 'vitest'
import { glance } from '../../functions/channel/imap-glance.ts'
import { probeMailbox } from '../../functions/channel/probe.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { microsoftWith, nowhere } from '../support/test-providers.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'

const accessToken = 'token-that-nobody-may-see'
const user = 'ada@contoso.example'

test.each([
  ['imap_auth_refused', 'NO AUTHENTICATE failed.'],
  ['imap_auth_refused', 'NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)'],
  ['imap_unreachable', 'NO [UNAVAILABLE] Temporary System Error'],
  ['imap_throttled', 'NO [ALERT] Too many simultaneous connections. (Failure)'],
  ['imap_throttled', 'NO [LIMIT] Too many connections'],
  ['imap_disabled', 'NO [ALERT] IMAP access is disabled for your domain.'],
  ['command_refused', 'BAD Command Error. 12'],
  ['imap_unreachable', 'BAD'],
  ['imap_unreachable', 'drop'],
])('a sign-in is %s by "%s"', async (code, answer) => {
  const imap = await startScriptedImap()
  imap.authenticate = answer
  const error = await thrownBy(() => glance({ server: imap.server, user, accessToken }, ['INBOX']))
  expect(error.code).toBe(code)
  expect(textsOf(error)).not.toContain(accessToken)
})

test.each(['drop', '* BYE Server shutting down'])('the greeting "%s" is no greeting', async greeting => {
  const imap = await startScriptedImap()
  imap.greeting = greeting
  const error = await thrownBy(() => glance({ server: imap.server, user, accessToken }, ['INBOX']))
  expect(error.code).toBe('imap_unreachable')
})

test('a mailbox that the server does not open after the sign-in is no refused login', async () => {
  const imap = await startScriptedImap()
  imap.afterwards = 'BAD User is authenticated but not connected.'
  const probe = await probeMailbox({
    entry: microsoftWith({ imap: imap.server, smtp: nowhere }),
    accessToken,
    candidates: { imap: [user, 'ada@elsewhere.example'], smtp: [] },
    timeoutMs: 5_000,
  })
  expect(probe.imap).toMatchObject({ login: null, fault: { code: 'imap_not_connected' } })
})

test('a mailbox whose INBOX the server does not show is not taken for one that opens', async () => {
  const imap = await startScriptedImap()
  imap.afterwards = 'NO [NONEXISTENT] no such mailbox'
  const probe = await probeMailbox({
    entry: microsoftWith({ imap: imap.server, smtp: nowhere }),
    accessToken,
    candidates: { imap: [user], smtp: [] },
    timeoutMs: 5_000,
  })
  expect(probe.imap).toMatchObject({ login: null, isConclusive: false })
})

test('a port that nobody listens on is unreachable', async () => {
  expect((await thrownBy(() => glance({ server: nowhere, user, accessToken }, ['INBOX']))).code).toBe(
    'imap_unreachable',
  )
})
