/** Secrets at rest: they open only where they belong, under one data key a day, with few calls of KMS. */

import { expect, test } from 'vitest'
import { openSeal, type SealContext } from '../../functions/channel/seal.ts'
import { openTable } from '../../functions/channel/table.ts'
import { type Clock, openClock } from '../support/clock.ts'
import { type Stores, useEngines } from '../support/engines.ts'
import { thrownBy } from '../support/thrown-error.ts'

const engines = useEngines()
const place: SealContext = { accountId: 'acme', ownerId: 'ch_1', field: 'refreshToken' }
const secret = 'refresh-token-of-ada-ä'

function sealOver(stores: Stores, { now }: Clock = openClock()) {
  const secrets = openTable(stores.dynamodb, stores.secretsTable)
  return openSeal({ kms: stores.kms, keyArn: stores.keyArn, secrets, now })
}

const kmsCalls = ({ calls }: Stores) =>
  calls.filter(({ service }) => service === 'kms').map(({ command }) => command.replace('Command', ''))

test('what was sealed opens again, and is not readable before', async () => {
  const seal = sealOver(await engines.fresh())
  const sealed = await seal.seal(secret, place)
  expect(sealed).not.toContain(secret)
  expect(Buffer.from(sealed.split('.').at(-1) ?? '', 'base64url').toString('latin1')).not.toContain('refresh')
  expect(await seal.open(sealed, place)).toBe(secret)
})

test('the same secret sealed twice looks different', async () => {
  const seal = sealOver(await engines.fresh())
  expect(await seal.seal(secret, place)).not.toBe(await seal.seal(secret, place))
})

test.each([
  ['another account', { accountId: 'other' }],
  ['another channel', { ownerId: 'ch_2' }],
  ['another field', { field: 'accessToken' }],
  ['parts that only join to the same text', { accountId: 'acm', ownerId: 'ech_1' }],
])('it does not open for %s', async (_what, change) => {
  const seal = sealOver(await engines.fresh())
  const sealed = await seal.seal(secret, place)
  const error = await thrownBy(() => seal.open(sealed, { ...place, ...change }))
  expect(error.code).toBe('secret_unreadable')
  expect(error.message).not.toContain('refresh-token')
})

test('a changed byte is noticed', async () => {
  const seal = sealOver(await engines.fresh())
  const [version, day, iv, body = ''] = (await seal.seal(secret, place)).split('.')
  const bytes = Buffer.from(body, 'base64url')
  bytes[0] = (bytes[0] ?? 0) ^ 1
  const changed = [version, day, iv, bytes.toString('base64url')].join('.')
  expect((await thrownBy(() => seal.open(changed, place))).code).toBe('secret_unreadable')
})

test.each(['', 'plain text', 'v2.2026-11-24.aaaa.bbbb', 'v1.2026-11-24.aaaa', 'v1...'])(
  'the unknown format %j is refused',
  async sealed => {
    const seal = sealOver(await engines.fresh())
    expect((await thrownBy(() => seal.open(sealed, place))).code).toBe('secret_unreadable')
  },
)

test('a body too short to hold an authentication tag is refused', async () => {
  const seal = sealOver(await engines.fresh())
  const [version, day, iv] = (await seal.seal(secret, place)).split('.')
  const short = [version, day, iv, 'AAAA'].join('.')
  expect((await thrownBy(() => seal.open(short, place))).code).toBe('secret_unreadable')
})

test('a day whose key is gone is unreadable, and no new key is made for it', async () => {
  const stores = await engines.fresh()
  const seal = sealOver(stores)
  const sealed = (await seal.seal(secret, place)).replace(/\.\d{4}-/, '.1999-')
  expect((await thrownBy(() => seal.open(sealed, place))).code).toBe('secret_unreadable')
  expect(kmsCalls(stores)).toEqual(['GenerateDataKey'])
})

test('many secrets cost one call of KMS', async () => {
  const stores = await engines.fresh()
  const seal = sealOver(stores)
  const sealed = await Promise.all(Array.from({ length: 20 }, (_, i) => seal.seal(`secret ${i}`, place)))
  await Promise.all(sealed.map(text => seal.open(text, place)))
  expect(kmsCalls(stores)).toEqual(['GenerateDataKey'])
})

test('a plain key is kept for 15 minutes, then KMS is asked again', async () => {
  const stores = await engines.fresh()
  const clock = openClock()
  const seal = sealOver(stores, clock)
  const sealed = await seal.seal(secret, place)
  clock.advance(14 * 60_000)
  await seal.open(sealed, place)
  expect(kmsCalls(stores)).toEqual(['GenerateDataKey'])
  clock.advance(2 * 60_000)
  expect(await seal.open(sealed, place)).toBe(secret)
  expect(kmsCalls(stores)).toEqual(['GenerateDataKey', 'Decrypt'])
})

test('each day has a key of its own, and yesterday’s secrets still open', async () => {
  const stores = await engines.fresh()
  const clock = openClock()
  const seal = sealOver(stores, clock)
  const sealed = await seal.seal(secret, place)
  clock.advance(24 * 3600_000)
  const next = await seal.seal(secret, place)
  expect(next.split('.')[1]).not.toBe(sealed.split('.')[1])
  expect(await seal.open(sealed, place)).toBe(secret)
})

test('two functions that make the day’s first key at once end with one key', async () => {
  const stores = await engines.fresh()
  const racers = [sealOver(stores), sealOver(stores), sealOver(stores)]
  const sealed = await Promise.all(racers.map(seal => seal.seal(secret, place)))
  expect(kmsCalls(stores).filter(name => name === 'GenerateDataKey').length).toBeGreaterThan(1)
  for (const seal of racers) for (const text of sealed) expect(await seal.open(text, place)).toBe(secret)
})

test('a failure of KMS is not remembered', async () => {
  const stores = await engines.fresh()
  const seal = sealOver(stores)
  stores.failWhen(({ service }) => service === 'kms')
  await expect(seal.seal(secret, place)).rejects.toThrow('kms is down')
  stores.failWhen(() => false)
  expect(await seal.open(await seal.seal(secret, place), place)).toBe(secret)
})

test('KMS is told the day only', async () => {
  const stores = await engines.fresh()
  await sealOver(stores).seal(secret, place)
  const [call] = stores.calls.filter(({ service }) => service === 'kms')
  expect(call?.input).toMatchObject({
    EncryptionContext: { app: 'postroom', day: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) },
  })
  expect(JSON.stringify(call?.input)).not.toMatch(/acme|ch_1/)
})
