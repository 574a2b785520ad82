/** STS on this machine, as far as a role's identity towards others goes: signs what `GetWebIdentityToken` asks for. */

import { createServer } from 'node:http'
import { STSClient } from '@aws-sdk/client-sts'
import { type CryptoKey, SignJWT } from 'jose'
import { onTestFinished } from 'vitest'
import { listenOnLoopback } from '../../infra/local/loopback.ts'

export const roleArn = 'arn:aws:iam::000000000000:role/postroom-send'
export const stsIssuer = 'https://00000000-0000-4000-8000-000000000000.tokens.sts.global.api.aws'

export interface StsEndpoint {
  client: STSClient
  /** The forms it was sent (AWS Query protocol). */
  requests: URLSearchParams[]
  /** Such as `OutboundWebIdentityFederationDisabledException`: what it answers instead. */
  refuses: string | undefined
}

/** Starts one that ends with the test. */
export async function startSts(key: CryptoKey): Promise<StsEndpoint> {
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    const form = new URLSearchParams(text)
    endpoint.requests.push(form)
    response.setHeader('content-type', 'text/xml')
    if (endpoint.refuses) {
      response.writeHead(403)
      response.end(
        `<ErrorResponse><Error><Type>Sender</Type><Code>${endpoint.refuses}</Code><Message>No.</Message></Error></ErrorResponse>`,
      )
      return
    }
    const token = await new SignJWT({})
      .setProtectedHeader({ alg: form.get('SigningAlgorithm') ?? '', kid: 'sts' })
      .setIssuer(stsIssuer)
      .setSubject(roleArn)
      .setAudience(form.get('Audience.member.1') ?? '')
      .setIssuedAt()
      .setExpirationTime(`${form.get('DurationSeconds')}s`)
      .sign(key)
    response.end(
      '<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>' +
        `<WebIdentityToken>${token}</WebIdentityToken><Expiration>2030-01-01T00:00:00Z</Expiration>` +
        '</GetWebIdentityTokenResult></GetWebIdentityTokenResponse>',
    )
  })
  const port = await listenOnLoopback(server, 0)
  const endpoint: StsEndpoint = {
    client: new STSClient({
      region: 'us-east-1',
      endpoint: `http://127.0.0.1:${port}`,
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      maxAttempts: 1,
    }),
    requests: [],
    refuses: undefined,
  }
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return endpoint
}
