/** The console's function, which only some systems have, under AWS's own runtime client. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Cloud, startCloud } from '../../infra/local/cloud.ts'
import { bootThread } from '../../infra/local/execution-environment.ts'
import { buildApp } from '../infra/synthesized.ts'
import { missingClient } from './client.ts'
import { bootUnderClient } from './client-environment.ts'

const issuer = 'https://id.example.com'
const configuration = {
  authentication: { type: 'jwt' as const, issuer, audience: ['postroom'], accountClaim: 'account' },
  console: {
    clientId: 'console',
    authorizationEndpoint: `${issuer}/authorize`,
    tokenEndpoint: `${issuer}/token`,
  },
}

describe.skipIf(missingClient)('under the runtime client', () => {
  let folder = ''
  const clouds: Cloud[] = []
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postroom-runtime-'))
    const assembly = join(folder, 'assembly')
    buildApp({ outdir: assembly, configuration, withCode: true }).app.synth()
    for (const boot of [bootUnderClient(), bootThread]) {
      clouds.push(
        await startCloud({
          assembly,
          folder: join(folder, `cloud-${clouds.length}`),
          port: 0,
          apiKey: 'key-of-this-test-only',
          secrets: { OAuthApps: '{}' },
          environment: {},
          boot,
          log: () => {},
        }),
      )
    }
  })
  afterAll(async () => {
    for (const cloud of clouds) await cloud.close()
    await rm(folder, { recursive: true, force: true })
  })

  test.each(['/', '/console.js', '/nothing'])('the console answers GET %s as in our thread', async path => {
    const [underClient, inThread] = await Promise.all(
      clouds.map(async ({ url }) => {
        const response = await fetch(`${url}${path}`)
        const { date: _, ...headers } = Object.fromEntries(response.headers)
        return { status: response.status, headers, body: await response.text() }
      }),
    )
    expect(underClient?.status).toBe(path === '/nothing' ? 404 : 200)
    expect(underClient).toEqual(inThread)
  })
})
