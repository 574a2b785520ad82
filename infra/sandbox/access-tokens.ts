/** What a mail server asks about an access token: whose is it, and does it open this protocol? Nothing is trusted unchecked. */
import { createLocalJWKSet, type JWTPayload, jwtVerify } from 'jose'
import type { Provider } from 'oidc-provider'
import type { Directory } from './directory.ts'
import type { Persona } from './personas.ts'
import { type KeyRing, publicKey } from './signing-keys.ts'

/** The audience of a token for Exchange Online; a token for Microsoft Graph has another and opens no mail server. */
export const exchangeResource = 'https://outlook.office.com'

/** Microsoft's mail permissions, the names in the `scp` claim. */
type MailScope = 'IMAP.AccessAsUser.All' | 'SMTP.Send'

/** The one Google scope for IMAP and SMTP. */
export const gmailScope = 'https://mail.google.com/'

/** What RFC 7662 introspection tells. */
type Introspection = { active: false } | { active: true; [claim: string]: unknown }

/** Checks tokens of both providers. A token that is not accepted is just not accepted: servers tell no reason. */
export interface AccessTokens {
  /** The owner of a Microsoft token for Exchange with this permission. */
  microsoftOwner(token: string, scope: MailScope): Promise<Persona | undefined>
  /** The owner of a Google token with the mail scope. */
  googleOwner(token: string): Promise<Persona | undefined>
  /** Any living token of either provider, whatever its audience. */
  introspect(token: string): Promise<Introspection>
}

/**
 * Makes the checks.
 *
 * @param of.entraIssuer with `{tid}` for the tenant
 * @param of.google holds the opaque tokens
 * @param of.keys those of before a rotation, too: a token lives on, since mail servers know older keys for a while
 * @param of.now epoch milliseconds; an expired token is refused by this clock
 */
export function accessTokens(of: {
  directory: Directory
  keys: KeyRing
  entraIssuer: string
  google(): Provider
  now(): number
}): AccessTokens {
  /** Signature, algorithm, header type, expiry, and that the issuer is the tenant of the account. */
  async function verified(token: string): Promise<{ payload: JWTPayload; owner: Persona } | undefined> {
    try {
      const keys = createLocalJWKSet({ keys: of.keys.all().map(publicKey) })
      const { payload } = await jwtVerify(token, keys, {
        algorithms: ['RS256'],
        typ: 'JWT',
        currentDate: new Date(of.now()),
        requiredClaims: ['exp', 'aud', 'tid', 'oid', 'upn', 'scp'],
      })
      const owner = of.directory.personas().find(({ objectId }) => objectId === payload.oid)
      const fits =
        owner?.tenantId === payload.tid &&
        payload.iss === of.entraIssuer.replace('{tid}', String(payload.tid))
      return owner && fits ? { payload, owner } : undefined
    } catch {
      return undefined
    }
  }

  async function opaque(
    token: string,
  ): Promise<{ owner: Persona; scopes: Set<string>; exp: number } | undefined> {
    const issued = await of.google().AccessToken.find(token, { ignoreExpiration: true })
    const owner = issued && of.directory.personaBySubject(issued.accountId)
    if (!issued || !owner || issued.exp * 1000 <= of.now()) return undefined
    return { owner, scopes: issued.scopes, exp: issued.exp }
  }

  return {
    microsoftOwner: async (token, scope) => {
      const checked = await verified(token)
      if (checked?.payload.aud !== exchangeResource) return undefined
      return String(checked.payload.scp).split(' ').includes(scope) ? checked.owner : undefined
    },
    googleOwner: async token => {
      const checked = await opaque(token)
      return checked?.scopes.has(gmailScope) ? checked.owner : undefined
    },
    introspect: async token => {
      const jwt = await verified(token)
      if (jwt) {
        const { iss, aud, exp, sub, upn, scp, tid, oid } = jwt.payload
        return { active: true, iss, aud, exp, sub, upn, scp, tid, oid, username: upn, scope: scp }
      }
      const checked = await opaque(token)
      if (!checked) return { active: false }
      const { owner, scopes, exp } = checked
      return {
        active: true,
        iss: of.google().issuer,
        exp,
        sub: owner.subject,
        username: owner.signInName,
        scope: [...scopes].join(' '),
      }
    },
  }
}
