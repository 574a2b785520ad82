/** Contract: what is written is read again, value by value, under whatever name. */

import { expect, test } from 'vitest'
import { fresh, type Tables } from './tables-under-test.ts'

const newKey = () => ({ pk: fresh('VALUE'), sk: 'VALUE' })

/** Some of the 573 words that an expression may not use bare. */
const reservedWords = [
  'connection',
  'counter',
  'data',
  'date',
  'hash',
  'key',
  'language',
  'name',
  'owner',
  'size',
  'state',
  'status',
  'text',
  'timestamp',
  'ttl',
  'type',
  'user',
  'value',
  'values',
  'view',
]

export function storedValues(tables: Tables): void {
  const roundTrip = async (value: unknown) => {
    const key = newKey()
    await tables.main.put({ ...key, value })
    const put = (await tables.main.get(key))?.value
    await tables.main.put(key)
    const updated = (await tables.main.update(key, { set: { value } }))?.value
    expect(updated).toEqual(put)
    return put
  }

  test.each([
    { what: 'an empty text', value: '' },
    { what: 'letters beyond the basic plane', value: 'Grüße, 世界 🙂 \u{10ffff}' },
    { what: 'control characters and NUL', value: 'a\u0000b\u0001\r\n\t\u007f\u0085' },
    { what: 'a text of 300,000 bytes', value: 'ä'.repeat(150_000) },
    { what: 'zero', value: 0 },
    { what: 'the largest safe integer', value: Number.MAX_SAFE_INTEGER },
    { what: 'the smallest safe integer', value: Number.MIN_SAFE_INTEGER },
    { what: 'a time in milliseconds', value: 1_795_488_000_123 },
    { what: 'fractions', value: [0.1, -0.25, 1e-7, 123456.789] },
    { what: 'true and false', value: [true, false] },
    { what: 'null', value: null },
    { what: 'an empty list', value: [] },
    { what: 'an empty map', value: {} },
    { what: 'a list of lists of maps', value: [[{}], [{ a: [null, '', 0, false] }], []] },
    { what: 'a map of maps', value: { imap: { host: '', ports: [] }, smtp: {} } },
    { what: 'a list with the same entry twice', value: ['a', 'a'] },
  ])('$what comes back as it was', async ({ value }) => {
    expect(await roundTrip(value)).toEqual(value)
  })

  test('bytes come back as they were, none and 100,000', async () => {
    const value = Uint8Array.from({ length: 100_000 }, (_, index) => index % 256)
    const read = await roundTrip(value)
    expect(read).toBeInstanceOf(Uint8Array)
    expect(Buffer.compare(Buffer.from(read as Uint8Array), Buffer.from(value))).toBe(0)
    expect(await roundTrip(new Uint8Array())).toEqual(new Uint8Array())
  })

  test('undefined is left out, also inside of maps', async () => {
    const key = newKey()
    await tables.main.put({ ...key, absent: undefined, map: { absent: undefined, there: 1 } })
    const item = await tables.main.get(key)
    expect(item).toStrictEqual({ ...key, map: { there: 1 } })
  })

  test('words that DynamoDB keeps to itself serve as names everywhere', async () => {
    const key = newKey()
    const texts = Object.fromEntries(reservedWords.map(word => [word, `${word}!`]))
    await tables.main.put({ ...key, ...texts })
    expect(await tables.main.get(key)).toEqual({ ...key, ...texts })
    for (const word of reservedWords) {
      const changed = await tables.main.update(
        key,
        { set: { [word]: 'new' }, add: { [`${word}Count`]: 1 } },
        { equals: { [word]: `${word}!` }, oneOf: { [word]: [`${word}!`] }, atMost: { [`${word}Count`]: 0 } },
      )
      expect(changed).toMatchObject({ [word]: 'new', [`${word}Count`]: 1 })
      expect(await tables.main.update(key, { remove: [word] })).not.toHaveProperty(word)
    }
  })

  test('a key is compared byte by byte, with all letters in it', async () => {
    const pk = fresh('VALUE')
    const sortKeys = ['a#b', 'a/b', 'A#B', 'ä', 'a\u0308', ' a', 'a ', '🙂', '\uffff']
    for (const sk of sortKeys) await tables.main.put({ pk, sk, own: sk }, { exists: false })
    for (const sk of sortKeys) expect(await tables.main.get({ pk, sk })).toEqual({ pk, sk, own: sk })
    expect(await tables.main.partition(pk)).toHaveLength(sortKeys.length)
  })

  test('the two tables are two tables', async () => {
    const key = newKey()
    await tables.main.put({ ...key, in: 'main' })
    expect(await tables.secrets.get(key)).toBeUndefined()
    expect(await tables.secrets.put({ ...key, in: 'secrets' }, { exists: false })).toBe(true)
    expect(await tables.main.get(key)).toMatchObject({ in: 'main' })
  })

  test('an item whose time to live is over is read until it is removed', async () => {
    const key = newKey()
    await tables.main.put({ ...key, ttl: 1 })
    expect(await tables.main.get(key)).toEqual({ ...key, ttl: 1 })
  })
}
