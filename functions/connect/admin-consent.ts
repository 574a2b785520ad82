/** Consent for a whole organization: the link an administrator needs, and what comes back from it. */

import { PostroomError } from '../channel/faults.ts'
import type { HttpAnswer } from '../channel/http.ts'
import type { OAuthApps } from '../channel/oauth-apps.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import { redirectUri } from './begin.ts'
import { adminDonePage, failurePage, noLinks } from './result-pages.ts'

/**
 * @returns null where the provider knows no such thing
 * @see https://learn.microsoft.com/entra/identity-platform/v2-admin-consent
 */
export async function adminConsentUrl(
  provider: string,
  services: { providers: Providers; apps: OAuthApps; publicUrl: string },
): Promise<string | null> {
  const entry = providerOf(services.providers, provider)
  if (!entry.adminConsentEndpoint) return null
  const { clientId } = await services.apps.get(provider)
  const url = new URL(entry.adminConsentEndpoint)
  url.searchParams.set('client_id', clientId)
  url.searchParams.set('scope', entry.scopes.join(' '))
  url.searchParams.set('redirect_uri', redirectUri(services.publicUrl, provider))
  url.searchParams.set('state', 'admin')
  return url.toString()
}

/**
 * The answer carries no code and proves nothing: it is a page for the administrator, no change of ours.
 * Its `tenant` came through the browser and is not looked at.
 */
export function adminConsentAnswer(query: Record<string, string | undefined>): HttpAnswer | null {
  if (query.admin_consent === undefined) return null
  if (query.error === undefined) return adminDonePage()
  return failurePage(new PostroomError('admin_approval_required'), noLinks)
}
