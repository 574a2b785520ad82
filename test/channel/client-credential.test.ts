/** Every way in which an OAuth app proves to a token endpoint that it is itself, looked at as a provider would. */

import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { KMSClient } from '@aws-sdk/client-kms'
import { decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, jwtVerify } from 'jose'
import { expect, onTestFinished, test } from 'vitest'
import { bySecret, openClientCredentials } from '../../functions/channel/client-credential.ts'
import { type ConfiguredApp, oauthAppsSchema } from '../../functions/channel/oauth-app.ts'
import { check, parse } from '../../functions/channel/schema-check.ts'
import { refreshGrant } from '../../functions/channel/token-endpoint.ts'
import { startKeysAndSecrets } from '../../infra/local/keys-and-secrets.ts'
import { openClock } from '../support/clock.ts'
import { roleArn, startSts, stsIssuer } from '../support/sts-endpoint.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'
import { startTokenEndpoint } from '../support/token-endpoint.ts'

const kmsKeyArn = 'arn:aws:kms:us-east-1:000000000000:key/client'
const clientId = 'client-of-this-test'
/** What a certificate of the key would have as its fingerprint. */
const fingerprint = createHash('sha256').update('the certificate').digest('hex')

const appWith = (credential: Partial<ConfiguredApp>): ConfiguredApp => ({
  clientId,
  tenant: 'common',
  ...credential,
})

const noSts = () => Promise.reject(new Error('STS is not needed here'))

/** KMS with one RSA key that signs. */
async function startKms() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const engine = await startKeysAndSecrets({
    port: 0,
    masterKey: randomBytes(32),
    keyArns: [],
    signingKeys: new Map([[kmsKeyArn, privateKey]]),
    secrets: new Map(),
  })
  onTestFinished(() => engine.close())
  const kms = new KMSClient({
    region: 'us-east-1',
    endpoint: engine.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    maxAttempts: 1,
  })
  return { kms, publicKey }
}

/** A token endpoint that verifies every assertion in full, as Entra does, and a refresh there. */
async function setUp(credential: Partial<ConfiguredApp>, made: { key?: 'another' } = {}) {
  const clock = openClock()
  const { kms, publicKey } = await startKms()
  const stsKey = await generateKeyPair('RS256')
  const sts = await startSts(stsKey.privateKey)
  const endpoint = await startTokenEndpoint()
  const trusted =
    made.key === 'another' ? generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey : publicKey
  const assertions: string[] = []
  const hasJwt = (form: URLSearchParams) =>
    form.get('client_assertion_type') === 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' &&
    !form.has('client_secret')
  endpoint.knowsClient = async form => {
    const assertion = form.get('client_assertion') ?? ''
    assertions.push(assertion)
    if (!hasJwt(form)) return false
    const known = credential.federated
      ? {
          key: stsKey.publicKey,
          algorithms: ['RS256'],
          issuer: stsIssuer,
          subject: roleArn,
          audience: 'api://AzureADTokenExchange',
        }
      : {
          key: await importJWK(await exportJWK(trusted), 'PS256'),
          algorithms: ['PS256'],
          issuer: clientId,
          subject: clientId,
          audience: `http://localhost${new URL(endpoint.url).host.replace(/^[^:]*/, '')}/tenant-of-ada/token`,
        }
    const { key, ...claims } = known
    return jwtVerify(assertion, key, {
      ...claims,
      currentDate: new Date(clock.now()),
      maxTokenAge: '15m',
    }).then(
      () => true,
      () => false,
    )
  }
  const credentials = openClientCredentials({ kms, sts: async () => sts.client, now: clock.now })
  const app = { clientId, tenant: 'common', authenticate: credentials.of(appWith(credential)) }
  const entry = microsoftWith({
    tokenEndpoint: `http://localhost:${new URL(endpoint.url).port}/{tenant}/token`,
  })
  let refreshes = 0
  const refresh = () => {
    endpoint.accept(`refresh-of-this-test-${++refreshes}`)
    return refreshGrant({ entry, app, tenantId: 'tenant-of-ada' }, `refresh-of-this-test-${refreshes}`)
  }
  return { clock, endpoint, sts, assertions, refresh }
}

const signingKey = { kmsKeyArn, certificateSha256: fingerprint }
const federated = { audience: 'api://AzureADTokenExchange' }

test('private_key_jwt: signed in KMS, it verifies as PS256 for the pinned tenant’s endpoint and names the certificate', async () => {
  const { refresh, assertions } = await setUp({ signingKey })
  expect((await refresh()).accessToken).toBe('access-1')
  expect(decodeProtectedHeader(assertions[0] ?? '')).toEqual({
    alg: 'PS256',
    typ: 'JWT',
    'x5t#S256': Buffer.from(fingerprint, 'hex').toString('base64url'),
  })
})

test('private_key_jwt: signed by another key, the app is refused, and nothing of the assertion is repeated', async () => {
  const { refresh, assertions } = await setUp({ signingKey }, { key: 'another' })
  const error = await thrownBy(refresh)
  expect(error.code).toBe('app_credentials_refused')
  expect(textsOf(error)).not.toContain(assertions[0]?.slice(0, 40))
})

test('an assertion is shown again for five minutes, then made anew; each has an id of its own', async () => {
  const { refresh, assertions, clock } = await setUp({ signingKey })
  await refresh()
  clock.advance(4 * 60_000)
  await refresh()
  clock.advance(2 * 60_000)
  await refresh()
  expect(assertions[1]).toBe(assertions[0])
  expect(assertions[2]).not.toBe(assertions[0])
})

test('federated: the role’s token of STS is the assertion, for the audience Entra names', async () => {
  const { refresh, sts } = await setUp({ federated })
  expect((await refresh()).accessToken).toBe('access-1')
  await refresh()
  expect(sts.requests.map(form => Object.fromEntries(form))).toEqual([
    expect.objectContaining({
      Action: 'GetWebIdentityToken',
      'Audience.member.1': 'api://AzureADTokenExchange',
      SigningAlgorithm: 'RS256',
      DurationSeconds: '900',
    }),
  ])
})

test('an STS that refuses is the operator’s trouble, named by its code, and not remembered', async () => {
  const { refresh, sts, endpoint } = await setUp({ federated })
  sts.refuses = 'OutboundWebIdentityFederationDisabledException'
  const error = await thrownBy(refresh)
  expect(error).toMatchObject({
    code: 'app_credential_unavailable',
    evidence: expect.stringContaining('OutboundWebIdentityFederationDisabled'),
  })
  expect(endpoint.requests).toHaveLength(0)
  sts.refuses = undefined
  expect((await refresh()).accessToken).toBe('access-1')
})

test('a KMS key that is not there is the operator’s trouble', async () => {
  const { refresh } = await setUp({
    signingKey: { ...signingKey, kmsKeyArn: 'arn:aws:kms:us-east-1:0:key/gone' },
  })
  expect(await thrownBy(refresh)).toMatchObject({
    code: 'app_credential_unavailable',
    row: { actor: 'operator', action: 'retry' },
  })
})

test('a client secret goes out as it is', async () => {
  expect(await bySecret('s+/=&')('https://anywhere.example')).toEqual({ client_secret: 's+/=&' })
  const credentials = openClientCredentials({ kms: new KMSClient({}), sts: noSts, now: Date.now })
  const authenticate = credentials.of(appWith({ clientSecret: 'of-the-app' }))
  expect(await authenticate('https://anywhere.example')).toEqual({ client_secret: 'of-the-app' })
})

test.each<[string, object]>([
  ['none', {}],
  ['two', { clientSecret: 'x', federated: {} }],
  ['a fingerprint that is none', { signingKey: { kmsKeyArn, certificateSha256: 'abc' } }],
  ['a date that is none', { clientSecret: 'x', secretExpiresAt: 'next year' }],
])('an OAuth app with %s is refused when it is read', (_what, credential) => {
  expect(check(oauthAppsSchema, { microsoft: { clientId, ...credential } }).success).toBe(false)
})

test('a certificate’s fingerprint may be written as openssl prints it', () => {
  const printed = fingerprint.toUpperCase().match(/../g)?.join(':') ?? ''
  const apps = parse(oauthAppsSchema, {
    microsoft: { clientId, signingKey: { ...signingKey, certificateSha256: printed } },
  })
  expect(apps.microsoft?.signingKey?.certificateSha256).toBe(fingerprint)
})
