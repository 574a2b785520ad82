/**
 * Accounts as `emailengine export` writes them, credentials in clear (https://learn.emailengine.app/docs/configuration/cli):
 * the OAuth app in `oauth2.provider`, who signed in in `oauth2.auth.user`, a shared mailbox in `oauth2.auth.delegatedUser`.
 */

import * as v from 'valibot'
import { check } from '../../functions/channel/schema-check.ts'
import type { Overrides, ReadRow } from './import-row.ts'

const accountSchema = v.object({
  account: v.string(),
  email: v.nullish(v.string()),
  oauth2: v.nullish(
    v.object({
      provider: v.nullish(v.string()),
      auth: v.nullish(v.object({ user: v.nullish(v.string()), delegatedUser: v.nullish(v.string()) })),
      refreshToken: v.nullish(v.string()),
    }),
  ),
})

/** EmailEngine's names; an app that was registered there has an id of its own, which `--provider` must translate. */
const providers: Record<string, string> = { gmail: 'google', outlook: 'microsoft' }

export function readEmailEngine(entry: unknown, { account, provider }: Overrides): ReadRow {
  const parsed = check(accountSchema, entry)
  if (!parsed.success) return { name: '?', reason: 'is no account of EmailEngine: it has no field account' }
  const { account: id, email, oauth2 } = parsed.data
  const login = oauth2?.auth?.user || undefined
  const address = email || login || id
  if (!oauth2) return { name: address, reason: 'signs in by password: its owner must connect it once' }
  if (!oauth2.refreshToken) return { name: address, reason: 'has no refresh token in the export' }
  if (oauth2.refreshToken.startsWith('$wd$'))
    return { name: address, reason: 'its refresh token is encrypted: export with the encryption secret' }
  const known = provider ?? providers[oauth2.provider ?? '']
  if (known === undefined) {
    const found = oauth2.provider ?? 'nothing'
    return {
      name: address,
      reason: `is of an OAuth app of its own (${found}): say --provider microsoft or google`,
    }
  }
  return {
    name: address,
    row: {
      accountId: account ?? id,
      provider: known,
      email: address,
      login,
      sharedMailbox: oauth2.auth?.delegatedUser || undefined,
      refreshToken: oauth2.refreshToken,
    },
  }
}
