/** What infra/register-apps.md tells an owner to register is what the code asks the providers for. */

import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Template } from 'aws-cdk-lib/assertions'
import { expect, onTestFinished, test } from 'vitest'
import { builtInProviders } from '../../functions/channel/built-in-providers.ts'
import { oauthAppsSchema } from '../../functions/channel/oauth-app.ts'
import { mergeProviders, type ProviderEntry } from '../../functions/channel/provider.ts'
import { parse } from '../../functions/channel/schema-check.ts'
import { redirectUri } from '../../functions/connect/begin.ts'
import { readConfiguration } from '../../infra/configuration.ts'
import { buildApp } from './synthesized.ts'

const page = await readFile(new URL('../../infra/register-apps.md', import.meta.url), 'utf8')
const origin = 'https://mail.example.com'

/** Of a table's row: what stands between backticks in each cell. */
function row(start: string): string[][] {
  const line = page.split('\n').find(text => text.startsWith(start)) ?? ''
  return line
    .split('|')
    .slice(2, -1)
    .map(cell => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text ?? ''))
}

function section(heading: string): string {
  return page.slice(page.indexOf(`\n## ${heading}\n`)).split('\n## ')[1] ?? ''
}

const entry = (id: string): ProviderEntry => {
  const found = builtInProviders[id]
  if (!found) throw new Error(`there is no provider ${id}`)
  return found
}

test.each([
  ['Microsoft', 'microsoft'],
  ['Google', 'google'],
])('%s: redirect URI and scopes', (heading, id) => {
  const text = section(heading)
  expect(text).toContain(`| redirect URI | \`${redirectUri(origin, id)}\` |`)
  expect(text).toContain(
    `| scopes | ${entry(id)
      .scopes.map(scope => `\`${scope}\``)
      .join(' ')} |`,
  )
})

const clouds = Object.keys(builtInProviders).filter(id => id.startsWith('microsoft-'))

test.each(clouds)('%s: redirect URI, scopes and servers', id => {
  const { scopes, imap, smtp } = entry(id)
  const mailScopes = scopes.filter(scope => scope.startsWith('https://'))
  expect(row(`| \`${id}\` |`)).toEqual([[redirectUri(origin, id)], mailScopes, [imap.host], [smtp.host]])
})

function jsonBlocks(): Record<string, object>[] {
  return [...page.matchAll(/```json\n([\s\S]*?)```/g)].map(([, text]) => JSON.parse(text ?? ''))
}

test('the examples of provider entries and of the secret are taken as they stand', () => {
  const [providers, apps] = jsonBlocks()
  const merged = mergeProviders(providers)
  expect(merged.contoso).toMatchObject({ displayName: 'Contoso Mail', scopes: entry('microsoft').scopes })
  expect(merged['microsoft-china']).toEqual(entry('microsoft-china'))
  expect(Object.keys(parse(oauthAppsSchema, apps))).toEqual(['microsoft', 'google'])
})

const openssl = spawnSync('sh', ['-c', 'openssl version'], { encoding: 'utf8' })

test.skipIf(!openssl.stdout?.startsWith('OpenSSL 3'))(
  'the lines for a certificate make one of the key that KMS shows, with a fingerprint that the secret takes',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'postroom-certificate-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(join(folder, 'public.der'), publicKey.export({ type: 'spki', format: 'der' }))
    const lines = [...page.matchAll(/```sh\n(openssl [\s\S]*?)```/g)].map(([, text]) => text).join('')
    const { stdout, status } = spawnSync('sh', ['-ec', lines], { cwd: folder, encoding: 'utf8' })
    expect(status).toBe(0)
    const certificate = new X509Certificate(await readFile(join(folder, 'certificate.pem')))
    expect(certificate.publicKey.equals(publicKey)).toBe(true)
    expect(certificate.verify(new X509Certificate(await readFile(join(folder, 'once.pem'))).publicKey)).toBe(
      true,
    )
    expect(existsSync(join(folder, 'once.key'))).toBe(false)
    const [, certificateSha256] = /Fingerprint=(.*)/.exec(stdout) ?? []
    const signingKey = { kmsKeyArn: 'arn:aws:kms:eu-west-1:111122223333:key/0a1b', certificateSha256 }
    const { microsoft } = parse(oauthAppsSchema, { microsoft: { clientId: 'app', signingKey } })
    expect(microsoft?.signingKey?.certificateSha256).toBe(
      certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    )
  },
)

test('the outputs that the lines ask for are those of the stack', () => {
  const asked = [...page.matchAll(/\$\(output (\w+)\)/g)].map(([, name]) => name)
  const apps = { microsoft: { federatedAudience: 'api://AzureADTokenExchange' } }
  const outputs = Template.fromStack(buildApp({ configuration: { apps } }).system).findOutputs('*')
  expect(asked.length).toBeGreaterThan(2)
  expect(asked.filter(name => !(String(name) in outputs))).toEqual([])
})

test('the examples of the configuration are taken as they stand', () => {
  const examples = [...page.matchAll(/`(\{"microsoft": \{"(?:federatedAudience|signingKeyArn)".*?\}\})`/g)]
  expect(examples).toHaveLength(2)
  for (const [, text = ''] of examples) {
    const apps = JSON.parse(text.replace('…', 'arn:aws:kms:eu-west-1:111122223333:key/0a1b'))
    expect(() => readConfiguration({ apps })).not.toThrow()
  }
})
