/** Tells the operator in time that the secret or certificate of an OAuth app ends, so that mail never waits for it. */

import { type Events, operatorAccount } from '../channel/events.ts'
import { log } from '../channel/log.ts'
import type { OAuthApps } from '../channel/oauth-apps.ts'

export interface SecretExpiryServices {
  apps: OAuthApps
  events: Events
  now(): number
}

/** Each is told once for each secret; the nearest alone where several have passed. */
const daysBefore = [1, 7, 30]
const dayMs = 24 * 3600_000

export async function announceExpiring({ apps, events, now }: SecretExpiryServices): Promise<void> {
  for (const [provider, { clientId, secretExpiresAt }] of Object.entries(await apps.all())) {
    if (secretExpiresAt === undefined) continue
    const leftMs = Date.parse(secretExpiresAt) - now()
    const days = daysBefore.find(threshold => leftMs <= threshold * dayMs)
    if (days === undefined) continue
    const expiresAt = new Date(secretExpiresAt).toISOString()
    log({ event: 'app_secret_expiring', provider, clientId, expiresAt })
    await events.announce({
      type: 'app.secret_expiring',
      accountId: operatorAccount,
      channelId: null,
      occurredAt: new Date(now()).toISOString(),
      subject: `${provider} ${clientId} ${expiresAt} ${days}`,
      data: { provider, clientId, expiresAt, withinDays: days },
    })
  }
}
