/**
 * How an OAuth app proves to its provider that it is itself, per app: a client secret; a certificate whose key
 * never leaves KMS (`private_key_jwt`); or the AWS role this runs as, which the provider trusts, so that there is
 * no secret at all.
 */

import { randomUUID } from 'node:crypto'
import { KMSClient, SignCommand } from '@aws-sdk/client-kms'
import type { STSClient } from '@aws-sdk/client-sts'
import { base64url } from 'jose'
import { PostroomError } from './faults.ts'
import type { ClientAuthentication, ConfiguredApp } from './oauth-app.ts'

/** RFC 7523 2.2. */
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
/** Entra refuses an assertion whose life is longer than ten minutes. */
const assertionLifeMs = 10 * 60_000
/** One that was made this recently is shown again: a signature for every refresh would be paid for and waited for. */
const reuseMs = 5 * 60_000
/** STS gives 60 to 3600 seconds. */
const identityLifeMs = 15 * 60_000

export interface CredentialServices {
  kms?: KMSClient
  /** Called when the first federated app is used, which most never are. */
  sts?(): Promise<STSClient>
  now(): number
}

export interface ClientCredentials {
  of(app: ConfiguredApp): ClientAuthentication
}

const newSts = async () => new (await import('@aws-sdk/client-sts')).STSClient({})

export function openClientCredentials(services: CredentialServices): ClientCredentials {
  const { kms = new KMSClient({}), sts = newSts, now } = services
  const made = new Map<string, { assertion: Promise<string>; untilMs: number }>()

  /** What was made for the same app and audience not long ago. A failure is not remembered. */
  function recent(key: string, make: () => Promise<string>): Promise<string> {
    const known = made.get(key)
    if (known && known.untilMs > now()) return known.assertion
    for (const [other, { untilMs }] of made) if (untilMs <= now()) made.delete(other)
    const assertion = make()
    made.set(key, { assertion, untilMs: now() + reuseMs })
    assertion.catch(() => made.delete(key))
    return assertion
  }

  /**
   * RFC 7523 3, in the shape Entra wants: PS256, and the certificate named by `x5t#S256`. jose signs with keys it
   * holds, and this one stays in KMS; the compact form is put together here (RFC 7515 7.1).
   * @see https://learn.microsoft.com/entra/identity-platform/certificate-credentials
   */
  async function signedAssertion(
    { clientId }: ConfiguredApp,
    { kmsKeyArn, certificateSha256 }: NonNullable<ConfiguredApp['signingKey']>,
    audience: string,
  ): Promise<string> {
    const seconds = Math.floor(now() / 1000)
    const header = {
      alg: 'PS256',
      typ: 'JWT',
      'x5t#S256': base64url.encode(Buffer.from(certificateSha256, 'hex')),
    }
    const claims = {
      aud: audience,
      iss: clientId,
      sub: clientId,
      jti: randomUUID(),
      nbf: seconds,
      iat: seconds,
      exp: seconds + assertionLifeMs / 1000,
    }
    const content = [header, claims].map(part => base64url.encode(JSON.stringify(part))).join('.')
    // RFC 7518 3.5: a salt as long as the hash, which is what KMS uses.
    const { Signature } = await kms.send(
      new SignCommand({
        KeyId: kmsKeyArn,
        Message: Buffer.from(content),
        MessageType: 'RAW',
        SigningAlgorithm: 'RSASSA_PSS_SHA_256',
      }),
    )
    if (!Signature)
      throw new PostroomError('app_credential_unavailable', { evidence: 'KMS gave no signature' })
    return `${content}.${base64url.encode(Signature)}`
  }

  /**
   * The account must have outbound identity federation enabled, and the OAuth app a federated credential for each
   * role: issuer the account's, subject the role's ARN.
   * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
   * @see https://learn.microsoft.com/entra/workload-id/workload-identity-federation
   */
  async function webIdentityToken(audience: string): Promise<string> {
    const { GetWebIdentityTokenCommand } = await import('@aws-sdk/client-sts')
    const request = {
      Audience: [audience],
      SigningAlgorithm: 'RS256',
      DurationSeconds: identityLifeMs / 1000,
    }
    const { WebIdentityToken } = await (await sts()).send(new GetWebIdentityTokenCommand(request))
    if (!WebIdentityToken)
      throw new PostroomError('app_credential_unavailable', { evidence: 'STS gave no token' })
    return WebIdentityToken
  }

  return {
    of(app) {
      const { clientId, clientSecret, signingKey, federated } = app
      if (clientSecret !== undefined) return bySecret(clientSecret)
      return async endpoint => {
        const key = `${clientId} ${federated?.audience ?? endpoint} ${signingKey?.kmsKeyArn ?? ''}`
        const assertion = await recent(key, () => {
          if (signingKey) return signedAssertion(app, signingKey, endpoint)
          if (federated) return webIdentityToken(federated.audience)
          throw new PostroomError('configuration_invalid')
        }).catch(cause => {
          throw cause instanceof PostroomError
            ? cause
            : new PostroomError('app_credential_unavailable', { cause, evidence: nameOf(cause) })
        })
        return { client_assertion_type: assertionType, client_assertion: assertion }
      }
    },
  }
}

/** The secret goes into the body, where Entra and Google both take it (RFC 6749 2.3.1). */
export function bySecret(clientSecret: string): ClientAuthentication {
  return async () => ({ client_secret: clientSecret })
}

/** Such as `AccessDeniedException`: what an operator needs, and free of secrets. */
function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : 'no answer'
}
