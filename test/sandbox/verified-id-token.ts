/** What an app makes of an id_token of the sandbox's Entra, if it checks everything. */
import { createRemoteJWKSet, jwtVerify } from 'jose'
import type { RunningSandbox } from './running-sandbox.ts'

/** As an app verifies it: keys of the address asked, the issuer of the tenant that the test expects. */
export async function verifyIdToken(
  sandbox: RunningSandbox,
  { idToken, tenantId }: { idToken: string | undefined; tenantId: string },
) {
  const { issuer, jwksUri } = sandbox.providers.microsoft
  const keys = createRemoteJWKSet(new URL(jwksUri.replace('{tenant}', 'common')))
  const { payload } = await jwtVerify(idToken ?? '', keys, {
    issuer: issuer.replace('{tid}', tenantId),
    audience: sandbox.apps.microsoft.clientId,
    algorithms: ['RS256'],
  })
  return payload
}
