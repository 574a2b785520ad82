/** A client secret is replaced while both are valid: whichever the provider takes, mail goes on. */

import { randomBytes } from 'node:crypto'
import { KMSClient } from '@aws-sdk/client-kms'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { expect, onTestFinished, test } from 'vitest'
import { openClientCredentials } from '../../functions/channel/client-credential.ts'
import { openOAuthApps } from '../../functions/channel/oauth-apps.ts'
import { refreshGrant } from '../../functions/channel/token-endpoint.ts'
import { startKeysAndSecrets } from '../../infra/local/keys-and-secrets.ts'
import { useEngines } from '../support/engines.ts'
import { microsoftWith, providersWith } from '../support/test-providers.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'
import { revoked, startTokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, eventTypes, openWorkbench } from '../support/workbench.ts'

const engines = useEngines()

const secretArn = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:OAuthApps'
const refreshToken = 'refresh-token-of-this-test'

/** The app as it stands in the OAuthApps secret, and a provider that knows these client secrets. */
async function setUp(credential: object, { valid }: { valid: string[] }) {
  const engine = await startKeysAndSecrets({
    port: 0,
    masterKey: randomBytes(32),
    keyArns: [],
    secrets: new Map([[secretArn, JSON.stringify({ microsoft: { clientId: 'the-app', ...credential } })]]),
  })
  onTestFinished(() => engine.close())
  const client = {
    region: 'us-east-1',
    endpoint: engine.endpoint,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  }
  const sts = () => Promise.reject(new Error('this account has no identity federation'))
  const apps = openOAuthApps({
    client: new SecretsManagerClient(client),
    secretArn,
    credentials: openClientCredentials({ kms: new KMSClient(client), sts, now: Date.now }),
    now: Date.now,
  })
  const endpoint = await startTokenEndpoint()
  endpoint.knowsClient = async form => valid.includes(form.get('client_secret') ?? '')
  endpoint.accept(refreshToken)
  const app = await apps.get('microsoft')
  const entry = microsoftWith({ tokenEndpoint: endpoint.url })
  return { apps, endpoint, refresh: () => refreshGrant({ entry, app, tenantId: null }, refreshToken) }
}

const shown = (requests: URLSearchParams[]) => requests.map(form => form.get('client_secret'))
const both = { clientSecret: 'new', previousClientSecret: 'old' }

test('the new secret alone is shown where the provider takes it', async () => {
  const { endpoint, refresh } = await setUp(both, { valid: ['new', 'old'] })
  expect((await refresh()).accessToken).toBe('access-1')
  expect(shown(endpoint.requests)).toEqual(['new'])
})

test('a new secret that is refused costs one more call, and no mailbox', async () => {
  const { endpoint, refresh } = await setUp(both, { valid: ['old'] })
  expect((await refresh()).accessToken).toBe('access-1')
  expect(shown(endpoint.requests)).toEqual(['new', 'old'])
})

test('a new secret that is refused marks no mailbox, holds none back, and nobody is told', async () => {
  const { apps, endpoint } = await setUp(both, { valid: ['old'] })
  const providers = providersWith({ tokenEndpoint: endpoint.url })
  const bench = openWorkbench(await engines.fresh(), { providers, apps })
  const channels = await Promise.all(
    ['refresh-a', 'refresh-b'].map(token => {
      endpoint.accept(token)
      return addChannel(bench, { tokens: { refreshToken: token } })
    }),
  )
  bench.clock.advance(61 * 60_000)
  for (const channel of channels) expect(await bench.tokens.accessToken(channel)).toMatch(/^access-/)
  expect(await bench.breaker.shown(channels)).toEqual(channels)
  expect(await bench.breaker.standing()).toEqual({ refusedApps: 0, recovered: [] })
  expect(await eventTypes(bench)).toEqual([])
})

test.each([
  ['in the place of the app', 'hunter2', 'OAuthApps.microsoft'],
  ['under a name that is none', { clientId: 'a', key: 'hunter2' }, 'OAuthApps.microsoft.key'],
  ['beside another proof', { clientId: 'a', clientSecret: 'hunter2', federated: {} }, 'OAuthApps.microsoft'],
])('regression: a secret that was put %s was shown in the log', async (_where, app, field) => {
  const engine = await startKeysAndSecrets({
    port: 0,
    masterKey: randomBytes(32),
    keyArns: [],
    secrets: new Map([[secretArn, JSON.stringify({ microsoft: app })]]),
  })
  onTestFinished(() => engine.close())
  const credentials = { accessKeyId: 'local', secretAccessKey: 'local' }
  const apps = openOAuthApps({
    client: new SecretsManagerClient({ region: 'us-east-1', endpoint: engine.endpoint, credentials }),
    secretArn,
    credentials: openClientCredentials({ now: Date.now }),
    now: Date.now,
  })
  const error = await thrownBy(() => apps.get('microsoft'))
  expect(error.code).toBe('configuration_invalid')
  expect(error.errors.map(fault => fault.field)).toContain(field)
  expect(textsOf(error)).not.toContain('hunter2')
})

test('with neither taken, the app is refused, and no secret is repeated', async () => {
  const { refresh } = await setUp(
    { clientSecret: 'new-and-secret', previousClientSecret: 'old-and-secret' },
    { valid: [] },
  )
  const error = await thrownBy(refresh)
  expect(error.code).toBe('app_credentials_refused')
  expect(textsOf(error)).not.toContain('and-secret')
})

test('a dead grant is no reason to show the old secret', async () => {
  const { endpoint, refresh } = await setUp(both, { valid: ['new', 'old'] })
  endpoint.script = [revoked]
  expect((await thrownBy(refresh)).code).toBe('grant_revoked')
  expect(shown(endpoint.requests)).toEqual(['new'])
})

test('an app that moves from a secret to its role goes on while the role cannot prove itself', async () => {
  const { endpoint, refresh } = await setUp(
    { federated: {}, previousClientSecret: 'old' },
    { valid: ['old'] },
  )
  expect((await refresh()).accessToken).toBe('access-1')
  expect(shown(endpoint.requests)).toEqual(['old'])
})
