/** What infra/register-apps.md tells an owner to register is what the code asks the providers for. */

import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { builtInProviders } from '../../functions/channel/built-in-providers.ts'
import { oauthAppsSchema } from '../../functions/channel/oauth-app.ts'
import { mergeProviders, type ProviderEntry } from '../../functions/channel/provider.ts'
import { parse } from '../../functions/channel/schema-check.ts'
import { redirectUri } from '../../functions/connect/begin.ts'
import { readConfiguration } from '../../infra/configuration.ts'

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

test('the examples of the configuration are taken as they stand', () => {
  const examples = [...page.matchAll(/`(\{"microsoft": \{"(?:federatedAudience|signingKeyArn)".*?\}\})`/g)]
  expect(examples).toHaveLength(2)
  for (const [, text = ''] of examples) {
    const apps = JSON.parse(text.replace('…', 'arn:aws:kms:eu-west-1:111122223333:key/0a1b'))
    expect(() => readConfiguration({ apps })).not.toThrow()
  }
})
