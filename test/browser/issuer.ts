/** An OpenID provider where operators sign in to the console: real, on this machine, with forms that take any password. */

import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { exportJWK, generateKeyPair } from 'jose'
import { type Context, Provider } from 'oidc-provider'
import { afterAll } from 'vitest'
import { freePort } from '../../infra/local/free-port.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'

const audience = 'https://mailboxes.example'
const operatorScope = 'postroom/operator'
/** Who signs in by this name is an operator; any other name is that of an account. */
export const operator = 'olga'

/** Registers the hook that ends it. */
export function useIssuer(): {
  /** @returns the environment of `npm start` in which callers bring this issuer's tokens, and its console signs in */
  startFor(system: { url: string; folder: string }): Promise<Record<string, string>>
} {
  let server: Server | undefined
  afterAll(async () => {
    server?.closeAllConnections()
    server?.close()
  })
  return {
    async startFor({ url, folder }) {
      // The sandbox's own, which the system trusts: of two certificates for one name, a client takes the wrong one.
      const { key, cert } = await localhostCertificate(join(folder, 'sandbox'))
      const port = await freePort()
      const issuer = `https://localhost:${port}`
      const provider = await makeProvider(issuer, `${url}/`)
      server = createServer({ key, cert }, provider.callback())
      await new Promise<void>(resolve => server?.listen(port, '127.0.0.1', resolve))
      const postroom = {
        authentication: { type: 'jwt', issuer, audience: [audience], accountClaim: 'sub', operatorScope },
        console: {
          clientId: 'console',
          authorizationEndpoint: `${issuer}/auth`,
          tokenEndpoint: `${issuer}/token`,
          parameters: { resource: audience },
        },
      }
      return { CDK_CONTEXT_JSON: JSON.stringify({ postroom }) }
    },
  }
}

async function makeProvider(issuer: string, redirectUri: string): Promise<Provider> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return new Provider(issuer, {
    clients: [
      {
        client_id: 'console',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'one' }] },
    scopes: ['openid', operatorScope],
    pkce: { required: () => true },
    clientBasedCORS: () => true,
    findAccount: (_context: Context, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          audience,
          scope: operatorScope,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    formats: { customizers: { jwt: scopeForOperatorsOnly } },
  })
}

function scopeForOperatorsOnly(
  _context: Context,
  { accountId }: { accountId: string },
  jwt: { payload: Record<string, unknown> },
): object {
  if (accountId !== operator) delete jwt.payload.scope
  return jwt
}
