/** Provider entries: what they inherit, and what is refused. */

import { expect, test } from 'vitest'
import { oauthAppsSchema } from '../../functions/channel/oauth-app.ts'
import { mergeProviders, providerOf, tenantUrl } from '../../functions/channel/provider.ts'
import { check, parse } from '../../functions/channel/schema-check.ts'
import { thrownBy } from '../support/thrown-error.ts'

const builtIn = mergeProviders({})

test('an entry that replaces a built-in one inherits what it leaves out', () => {
  const merged = mergeProviders({ microsoft: { displayName: 'Contoso Mail' } })
  expect(merged.microsoft).toEqual({ ...builtIn.microsoft, displayName: 'Contoso Mail' })
  expect(merged.google).toEqual(builtIn.google)
})

test('an override changes nothing for the next who merges', () => {
  mergeProviders({ microsoft: { displayName: 'Contoso Mail' } })
  expect(mergeProviders({}).microsoft?.displayName).toBe('Microsoft 365')
})

test('a new provider must bring every field, and is told each one it leaves out', async () => {
  const error = await thrownBy(() => mergeProviders({ other: { displayName: 'Other' } }))
  expect(error.code).toBe('configuration_invalid')
  expect(error.errors.map(({ field }) => field.split('.').at(-1))).toEqual(
    expect.arrayContaining(['issuer', 'tokenEndpoint', 'imap', 'smtp', 'loginClaims']),
  )
})

test('what a new provider leaves out is told with the provider’s id', async () => {
  const error = await thrownBy(() => mergeProviders({ other: { displayName: 'Other' } }))
  expect(error.errors[0]?.field).toMatch(/^other\./)
})

test.each([
  'http://login.example/token',
  'http://localhost.evil.example/token',
  'http://127.0.0.1.evil.example/token',
  'http://127.1.evil/token',
  'ftp://localhost/token',
  'javascript:alert(1)',
  'no url',
])('the endpoint %s is refused: plain http is for this machine only', async tokenEndpoint => {
  const error = await thrownBy(() => mergeProviders({ microsoft: { tokenEndpoint } }))
  expect(error.code).toBe('configuration_invalid')
  expect(error.errors).toEqual([
    {
      field: 'microsoft.tokenEndpoint',
      rule: 'must be an https URL (http only on loopback)',
      found: tokenEndpoint,
    },
  ])
})

test.each([
  'http://localhost:8080/token',
  'http://127.0.0.1:8080/{tenant}/token',
  'http://[::1]/token',
  'https://a.example',
])('the endpoint %s is accepted', tokenEndpoint => {
  expect(mergeProviders({ microsoft: { tokenEndpoint } }).microsoft?.tokenEndpoint).toBe(tokenEndpoint)
})

test.each([
  ['an unknown field', { tokenUrl: 'https://a.example' }, 'microsoft.tokenUrl', 'https://a.example'],
  [
    'an unknown field of a server',
    { imap: { host: 'h', port: 993, security: 'tls', user: 'x' } },
    'microsoft.imap.user',
    'x',
  ],
  ['email as identity', { identity: ['tid', 'email'] }, 'microsoft.identity', 'a list of 2'],
  ['no identity', { identity: [] }, 'microsoft.identity', 'a list of 0'],
  ['no encryption', { smtp: { host: 'h', port: 25, security: 'none' } }, 'microsoft.smtp.security', 'none'],
  ['a port that is none', { smtp: { host: 'h', port: 0, security: 'tls' } }, 'microsoft.smtp.port', '0'],
  [
    'no connections at all',
    { limits: { smtpConnections: 0, messagesPerMinute: 1, messageBytes: 1024 } },
    'microsoft.limits.smtpConnections',
    '0',
  ],
])('%s is refused with field, rule and what was found', async (_what, entry, field, found) => {
  const error = await thrownBy(() => mergeProviders({ microsoft: entry }))
  expect(error.code).toBe('configuration_invalid')
  expect(error.errors).toEqual([{ field, rule: expect.stringMatching(/\w/), found }])
})

test('a new entry may extend another, and needs only what differs', () => {
  const merged = mergeProviders({ second: { extends: 'microsoft', displayName: 'Second app' } })
  expect(merged.second).toEqual({ ...builtIn.microsoft, displayName: 'Second app' })
})

test('an entry that extends one that is not there is refused', async () => {
  const error = await thrownBy(() => mergeProviders({ second: { extends: 'nothing' } }))
  expect(error.code).toBe('configuration_invalid')
  expect(error.errors).toMatchObject([{ field: 'second.extends', found: 'nothing' }])
})

test('a provider’s id must be lower-case letters, digits and dashes', async () => {
  expect((await thrownBy(() => mergeProviders({ 'Micro soft': {} }))).code).toBe('configuration_invalid')
})

test.each(['other', 'constructor', '__proto__', ''])('the provider %j is unknown', async id => {
  const error = await thrownBy(() => providerOf(builtIn, id))
  expect(error.code).toBe('provider_unknown')
  expect(error.errors).toEqual([
    { field: 'provider', rule: expect.stringContaining('must be one of microsoft, google'), found: id },
  ])
})

test('S4: Microsoft’s login claims begin with the UPN’s, Google’s are the address alone', () => {
  expect(builtIn.microsoft?.loginClaims).toEqual(['preferred_username', 'upn', 'email'])
  expect(builtIn.google?.loginClaims).toEqual(['email'])
})

test('a tenant goes into an endpoint’s template, and cannot lead to another host or path', () => {
  const template = 'https://login.example/{tenant}/token'
  expect(tenantUrl(template, 'common')).toBe('https://login.example/common/token')
  expect(new URL(tenantUrl(template, '../x?y#z')).pathname).toBe('/..%2Fx%3Fy%23z/token')
  expect(tenantUrl('https://login.example/token', 'common')).toBe('https://login.example/token')
})

test('OAuth apps: the tenant is common unless said, unknown fields are refused', () => {
  const app = { clientId: 'a', clientSecret: 'b' }
  expect(parse(oauthAppsSchema, { microsoft: app })).toEqual({ microsoft: { ...app, tenant: 'common' } })
  expect(check(oauthAppsSchema, { microsoft: { ...app, secret: 'x' } }).success).toBe(false)
})
