/** Ends a grant: revoked at the provider where that harms no other channel, and forgotten here. */

import type { Channels } from './channels.ts'
import { asPostroomError } from './faults.ts'
import type { GrantOwner, Grants } from './grant.ts'
import type { Identities } from './identities.ts'
import { errorForLog, log } from './log.ts'
import type { OAuthApps } from './oauth-apps.ts'
import { type Providers, providerOf } from './provider.ts'
import { revokeToken } from './token-endpoint.ts'

export interface ForgetServices {
  channels: Channels
  grants: Grants
  identities: Identities
  apps: OAuthApps
  providers: Providers
}

export interface GrantToForget extends GrantOwner {
  provider: string
  identity: Record<string, string>
  /** False for a grant that a newer one of the same person has replaced. */
  revoke: boolean
}

/**
 * Google withdraws everything a person gave an app when one token is revoked, so a grant is revoked only
 * when no other channel stands on the same person. Microsoft has no revocation at all: there, the person
 * can remove the app at https://myapps.microsoft.com.
 * A grant that a live channel stands on is left alone, whoever asks.
 * A provider that does not answer keeps us from nothing: our copy goes in any case.
 * @see https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
 */
export async function forgetGrant(grant: GrantToForget, services: ForgetServices): Promise<void> {
  const { channels, grants, identities, apps, providers } = services
  const channel = await channels.find(grant.channelId)
  if (channel?.grantId === grant.grantId && channel.disconnectedAt === null) return
  const others = (await identities.channelsOf(grant)).filter(id => id !== grant.channelId)
  if (grant.revoke && others.length === 0) {
    try {
      const entry = providerOf(providers, grant.provider)
      const { refreshToken } = await grants.open(grant, await grants.read(grant))
      await revokeToken({ entry, app: await apps.get(grant.provider) }, refreshToken)
    } catch (thrown) {
      log({ event: 'revocation_failed', channelId: grant.channelId, ...errorForLog(asPostroomError(thrown)) })
    }
  }
  await grants.remove(grant)
}
