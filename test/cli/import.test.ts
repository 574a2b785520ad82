/** What an export's entries become, and that no token of theirs is ever shown. */

import { expect, test } from 'vitest'
import { readChatwoot } from '../../infra/cli/chatwoot-export.ts'
import { exitCodes } from '../../infra/cli/command.ts'
import { readEmailEngine } from '../../infra/cli/emailengine-export.ts'
import { runCli } from '../support/running-cli.ts'

const asIs = { account: undefined, provider: undefined }
const refreshToken = 'refresh-token-that-nobody-may-see'

const chatwootRow = {
  id: 4,
  account_id: 12,
  email: 'Grace.Hopper@tenant-b.example',
  imap_login: 'Grace.Hopper@tenant-b.example',
  provider: 'microsoft',
  provider_config: { access_token: 'a', refresh_token: refreshToken, expires_on: '2026-01-01' },
}
const emailEngineAccount = {
  account: 'grace',
  email: 'Grace.Hopper@tenant-b.example',
  oauth2: { provider: 'outlook', auth: { user: 'grace@tenant-a.example' }, accessToken: 'a', refreshToken },
}

test('a row of Chatwoot becomes an import, its provider_config as object or as text', () => {
  const expected = {
    row: {
      accountId: '12',
      provider: 'microsoft',
      email: 'Grace.Hopper@tenant-b.example',
      login: 'Grace.Hopper@tenant-b.example',
      refreshToken,
    },
  }
  expect(readChatwoot(chatwootRow, asIs)).toMatchObject(expected)
  const text = { ...chatwootRow, provider_config: JSON.stringify(chatwootRow.provider_config) }
  expect(readChatwoot(text, asIs)).toMatchObject(expected)
})

test('an account of EmailEngine becomes an import, a delegated one that of a shared mailbox', () => {
  expect(readEmailEngine(emailEngineAccount, asIs)).toMatchObject({
    row: { accountId: 'grace', provider: 'microsoft', login: 'grace@tenant-a.example', refreshToken },
  })
  const auth = { user: 'ada@contoso.example', delegatedUser: 'support@contoso.example' }
  const oauth2 = { ...emailEngineAccount.oauth2, provider: 'AAABkw', auth }
  const overrides = { account: 'acme', provider: 'microsoft' }
  expect(readEmailEngine({ ...emailEngineAccount, oauth2 }, overrides)).toMatchObject({
    row: { accountId: 'acme', sharedMailbox: 'support@contoso.example', login: 'ada@contoso.example' },
  })
})

test.each([
  ['a password', readChatwoot, { ...chatwootRow, provider: null }, 'signs in by password'],
  [
    'a lost token',
    readChatwoot,
    { ...chatwootRow, provider_config: { refresh_token: null } },
    'no refresh token',
  ],
  ['broken JSON', readChatwoot, { ...chatwootRow, provider_config: '{' }, 'no refresh token'],
  ['another shape', readChatwoot, { refresh_token: refreshToken }, 'is no row of channel_email'],
  ['a password', readEmailEngine, { account: 'a', imap: {} }, 'signs in by password'],
  [
    'an encrypted token',
    readEmailEngine,
    { account: 'a', oauth2: { provider: 'gmail', refreshToken: '$wd$x' } },
    'is encrypted',
  ],
  [
    'an own app',
    readEmailEngine,
    { account: 'a', oauth2: { provider: 'AAAB', refreshToken } },
    'say --provider',
  ],
  ['another shape', readEmailEngine, [refreshToken], 'is no account of EmailEngine'],
])('an entry with %s is refused, and says why', (_, read, entry, reason) => {
  const refused = read(entry, asIs)
  expect(refused).toMatchObject({ reason: expect.stringContaining(reason) })
  expect(JSON.stringify(refused)).not.toContain(refreshToken)
})

test('a file that is no JSON is refused by its line, of which nothing is shown', async () => {
  const { code, stderr } = await runCli(['import', '--from', 'chatwoot', '-'], {
    stdin: `{}\n{"refresh_token": ${refreshToken}}\n`,
  })
  expect(code).toBe(exitCodes.usage)
  expect(stderr).toContain('- must hold JSON; line 2 is none.')
  expect(stderr).not.toContain(refreshToken)
})
