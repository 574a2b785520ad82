/** Rows S1-S3 of the founding story: who signed in, under which login, with which address. */

import { expect, test } from 'vitest'
import { channelIdOf, emailOf, identityOf, loginOf } from '../../functions/channel/login.ts'
import { mergeProviders, providerOf } from '../../functions/channel/provider.ts'
import { thrownBy } from '../support/thrown-error.ts'

const microsoft = providerOf(mergeProviders({}), 'microsoft')
const google = providerOf(mergeProviders({}), 'google')
const person = { tid: '5c1f2c9e-0a3b-4d57-9a41-3f6f0d2f8a10', oid: 'o-1' }
const upn = 'ada@tenant-a.example'
const alias = 'Ada@tenant-b.example'

test.each([
  ['UPN and address are the same', { preferred_username: upn, upn, email: upn }, upn, upn],
  ['UPN and address differ', { preferred_username: upn, email: alias }, upn, alias],
  [
    'upn and preferred_username differ',
    { preferred_username: upn, upn: 'old@a.example', email: alias },
    upn,
    alias,
  ],
  ['no preferred_username', { upn, email: alias }, upn, alias],
  ['only upn', { upn }, upn, upn],
  ['only email', { email: alias }, alias, alias],
  ['preferred_username is blank', { preferred_username: '', upn: ' \t', email: alias }, alias, alias],
  ['preferred_username is no text', { preferred_username: 7, upn, email: alias }, upn, alias],
  ['blanks around the values', { preferred_username: ` ${upn} `, email: ` ${alias}\n` }, upn, alias],
  ['email is blank', { preferred_username: upn, email: ' ' }, upn, upn],
])('S1, S3: at Microsoft, where %s', (_shape, claims, login, email) => {
  expect(loginOf(microsoft, claims)).toBe(login)
  expect(emailOf(microsoft, claims)).toBe(email)
})

test('S2: at Google the login is the email claim, whatever other claims there are', () => {
  const claims = {
    email: 'linus@gmail.example',
    preferred_username: 'stray@a.example',
    upn: 'stray@b.example',
  }
  expect(loginOf(google, claims)).toBe('linus@gmail.example')
  expect(emailOf(google, claims)).toBe('linus@gmail.example')
})

test('a Google account without an address is refused, even where a stray claim holds one', async () => {
  const error = await thrownBy(() => loginOf(google, { preferred_username: upn, email: '' }))
  expect(error.code).toBe('address_missing')
})

test('a login that is no address is no From: where no claim has one, the address is missing', async () => {
  expect(loginOf(microsoft, { preferred_username: '+49 30 123' })).toBe('+49 30 123')
  expect((await thrownBy(() => emailOf(microsoft, { preferred_username: '+49 30 123' }))).code).toBe(
    'address_missing',
  )
  expect((await thrownBy(() => loginOf(microsoft, person))).code).toBe('address_missing')
})

test('S3: the same person with another address is the same channel', () => {
  const before = identityOf(microsoft, { ...person, email: upn, preferred_username: upn })
  const after = identityOf(microsoft, { ...person, email: alias, preferred_username: alias })
  expect(channelIdOf('acme', 'microsoft', after)).toBe(channelIdOf('acme', 'microsoft', before))
})

test('another person with the same address is another channel', () => {
  const ada = identityOf(microsoft, { ...person, email: upn })
  const impostor = identityOf(microsoft, {
    ...person,
    tid: 'b7d9e6a4-61c8-4f0e-8c35-a2e4d8b71f22',
    email: upn,
  })
  expect(channelIdOf('acme', 'microsoft', impostor)).not.toBe(channelIdOf('acme', 'microsoft', ada))
})

test('the address is no part of the identity', () => {
  expect(identityOf(microsoft, { ...person, email: upn, sub: 's' })).toEqual(person)
  expect(microsoft.identity).not.toContain('email')
  expect(google.identity).not.toContain('email')
})

test('two spellings of Google’s issuer are one identity', () => {
  const long = identityOf(google, { iss: 'https://accounts.google.com', sub: '1' })
  const short = identityOf(google, { iss: 'accounts.google.com', sub: '1' })
  expect(short).toEqual(long)
})

test.each([
  ['tid', { oid: 'o-1' }],
  ['oid', { tid: person.tid }],
  ['oid', { ...person, oid: ' ' }],
])('an id_token without the key claim %s is refused', async (field, claims) => {
  const error = await thrownBy(() => identityOf(microsoft, claims))
  expect(error.code).toBe('id_token_invalid')
  expect(error.errors).toEqual([expect.objectContaining({ field, found: 'nothing' })])
})

test('accounts, providers and shared mailboxes have channels of their own, and case of an address makes none', () => {
  const ids = [
    channelIdOf('acme', 'microsoft', person),
    channelIdOf('other', 'microsoft', person),
    channelIdOf('acme', 'google', person),
    channelIdOf('acme', 'microsoft', person, 'desk@contoso.example'),
  ]
  expect(new Set(ids).size).toBe(ids.length)
  expect(channelIdOf('acme', 'microsoft', person, 'Desk@Contoso.example')).toBe(ids[3])
})
