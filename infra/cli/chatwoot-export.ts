/**
 * Rows of Chatwoot's table channel_email, as `row_to_json` writes them: a mailbox that was connected by OAuth has its
 * provider and its tokens in `provider_config`, and the name that IMAP accepted in `imap_login`.
 */

import * as v from 'valibot'
import { type BrokenRule, check } from '../../functions/channel/schema-check.ts'
import { integer } from '../../functions/channel/single-values.ts'
import type { Overrides, ReadRow } from './import-row.ts'

const rowSchema = v.object({
  account_id: v.union([integer, v.string()]),
  email: v.string(),
  imap_login: v.nullish(v.string()),
  provider: v.nullish(v.string()),
  // A jsonb column is an object; through a text column or CSV it comes as a string.
  provider_config: v.unknown(),
})

const configSchema = v.object({ refresh_token: v.pipe(v.string(), v.minLength(1)) })

export function readChatwoot(entry: unknown, { account, provider }: Overrides): ReadRow {
  const parsed = check(rowSchema, entry)
  if (!parsed.success) return { name: '?', reason: `is no row of channel_email: ${fields(parsed.broken)}` }
  const { account_id, email, imap_login, provider: stored, provider_config } = parsed.data
  if (!stored) return { name: email, reason: 'signs in by password: its owner must connect it once' }
  const config = check(configSchema, asObject(provider_config))
  if (!config.success) {
    return { name: email, reason: 'has no refresh token: Chatwoot has lost it, or it was never given' }
  }
  return {
    name: email,
    row: {
      accountId: account ?? String(account_id),
      provider: provider ?? stored,
      email,
      login: imap_login || undefined,
      sharedMailbox: undefined,
      refreshToken: config.data.refresh_token,
    },
  }
}

function asObject(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return null
  }
}

/** Names only: a value may be a secret. */
function fields(broken: BrokenRule[]): string {
  return broken.map(({ path, rule }) => `${path.join('.') || 'entry'}: ${rule}`).join('; ')
}
