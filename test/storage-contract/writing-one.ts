/** Contract: put, update and remove of one item, and the conditions that invariants rest on. */

import { describe, expect, test } from 'vitest'
import type { Condition } from '../../functions/channel/expressions.ts'
import { fresh, race, type Tables } from './tables-under-test.ts'

const newKey = () => ({ pk: fresh('ITEM'), sk: 'ITEM' })

export function writingOne(tables: Tables): void {
  describe('put', () => {
    test('of 40 that put the same new item at once, one wins, and its item stands', async () => {
      const key = newKey()
      const won = await race(40, number => tables.main.put({ ...key, number }, { exists: false }))
      expect(won.filter(Boolean)).toHaveLength(1)
      expect(await tables.main.get(key)).toEqual({ ...key, number: won.indexOf(true) })
    })

    test('without a condition it replaces the whole item', async () => {
      const key = newKey()
      await tables.main.put({ ...key, old: 1 })
      expect(await tables.main.put({ ...key, new: 2 })).toBe(true)
      expect(await tables.main.get(key)).toEqual({ ...key, new: 2 })
    })

    test('items of one partition and items of one sort key are different items', async () => {
      const { pk } = newKey()
      await tables.main.put({ pk, sk: 'A', value: 1 }, { exists: false })
      expect(await tables.main.put({ pk, sk: 'B', value: 2 }, { exists: false })).toBe(true)
      expect(await tables.main.put({ pk: `${pk}x`, sk: 'A', value: 3 }, { exists: false })).toBe(true)
      expect(await tables.main.get({ pk, sk: 'A' })).toMatchObject({ value: 1 })
    })

    test('what is not there is undefined', async () => {
      expect(await tables.main.get(newKey())).toBeUndefined()
    })
  })

  describe('update', () => {
    test('never makes an item out of its changes', async () => {
      const key = newKey()
      expect(await tables.main.update(key, { set: { state: 'sent' } })).toBeUndefined()
      expect(await tables.main.get(key)).toBeUndefined()
    })

    test('makes an item where it is told to', async () => {
      const key = newKey()
      const item = await tables.main.update(key, { set: { a: 1 }, add: { b: 2 } }, { exists: undefined })
      expect(item).toEqual({ ...key, a: 1, b: 2 })
    })

    test('returns the whole new item', async () => {
      const key = newKey()
      await tables.main.put({ ...key, kept: 'k', changed: 'old', removed: 'r', count: 5 })
      const change = {
        set: { changed: 'new', added: 'a' },
        remove: ['removed', 'neverThere'],
        add: { count: -2 },
      }
      const expected = { ...key, kept: 'k', changed: 'new', added: 'a', count: 3 }
      expect(await tables.main.update(key, change)).toEqual(expected)
      expect(await tables.main.get(key)).toEqual(expected)
    })

    test('leaves an attribute alone that is set to undefined', async () => {
      const key = newKey()
      await tables.main.put({ ...key, a: 1, b: 1 })
      expect(await tables.main.update(key, { set: { a: undefined, b: 2 } })).toEqual({ ...key, a: 1, b: 2 })
      expect(await tables.main.update(key, { set: { a: undefined } })).toEqual({ ...key, a: 1, b: 2 })
    })

    test('adds to an absent attribute as to zero, and loses none of 40 additions at once', async () => {
      const key = newKey()
      await tables.main.put(key)
      await race(40, () => tables.main.update(key, { add: { bell: 1 } }))
      expect(await tables.main.get(key)).toEqual({ ...key, bell: 40 })
      expect(await tables.main.update(key, { add: { other: 0 } })).toMatchObject({ other: 0 })
    })

    test('of 40 that move the same version on at once, one wins', async () => {
      const key = newKey()
      await tables.main.put({ ...key, version: 1 })
      const results = await race(40, number =>
        tables.main.update(key, { set: { number }, add: { version: 1 } }, { equals: { version: 1 } }),
      )
      const winners = results.filter(item => item !== undefined)
      expect(winners).toHaveLength(1)
      expect(await tables.main.get(key)).toEqual(winners[0])
      expect(winners[0]).toMatchObject({ version: 2 })
    })

    test('may ask about the attribute it sets', async () => {
      const key = newKey()
      const take = (holder: string, nowMs: number) =>
        tables.main.update(
          key,
          { set: { holder, untilMs: nowMs + 10 }, add: { bell: 0 } },
          { exists: undefined, atMost: { untilMs: nowMs } },
        )
      expect(await take('first', 100)).toEqual({ ...key, holder: 'first', untilMs: 110, bell: 0 })
      expect(await take('second', 109)).toBeUndefined()
      expect(await take('third', 110)).toMatchObject({ holder: 'third', untilMs: 120 })
    })
  })

  describe('remove', () => {
    test('takes the item away, and is content if there is none', async () => {
      const key = newKey()
      await tables.main.put(key)
      expect(await tables.main.remove(key)).toBe(true)
      expect(await tables.main.get(key)).toBeUndefined()
      expect(await tables.main.remove(key)).toBe(true)
    })

    test('of 20 that take the same item out at once, one has it', async () => {
      const key = newKey()
      await tables.main.put(key)
      const taken = await race(20, () => tables.main.remove(key, { exists: true }))
      expect(taken.filter(Boolean)).toHaveLength(1)
    })

    test('leaves the item where the condition does not hold', async () => {
      const key = newKey()
      await tables.main.put({ ...key, holder: 'me' })
      expect(await tables.main.remove(key, { equals: { holder: 'you' } })).toBe(false)
      expect(await tables.main.get(key)).toEqual({ ...key, holder: 'me' })
    })
  })

  const stored = { text: 'b', number: 10, yes: true, zero: 0, empty: '' }
  const conditions: { condition: Condition; holds: boolean }[] = [
    { condition: { exists: true }, holds: true },
    { condition: { exists: false }, holds: false },
    { condition: { equals: { text: 'b' } }, holds: true },
    { condition: { equals: { text: 'B' } }, holds: false },
    { condition: { equals: { number: 10 } }, holds: true },
    { condition: { equals: { number: '10' } }, holds: false },
    { condition: { equals: { yes: true } }, holds: true },
    { condition: { equals: { yes: false } }, holds: false },
    { condition: { equals: { zero: 0 } }, holds: true },
    { condition: { equals: { zero: false } }, holds: false },
    { condition: { equals: { empty: '' } }, holds: true },
    { condition: { equals: { absent: '' } }, holds: false },
    { condition: { equals: { absent: false } }, holds: false },
    { condition: { oneOf: { text: ['a', 'b', 'c'] } }, holds: true },
    { condition: { oneOf: { text: ['b'] } }, holds: true },
    { condition: { oneOf: { text: ['a', 'c'] } }, holds: false },
    { condition: { oneOf: { absent: ['a', ''] } }, holds: false },
    { condition: { atMost: { number: 10 } }, holds: true },
    { condition: { atMost: { number: 11 } }, holds: true },
    { condition: { atMost: { number: 9.999 } }, holds: false },
    { condition: { atMost: { number: -1 } }, holds: false },
    { condition: { atMost: { absent: -1_000_000 } }, holds: true },
    { condition: { atMost: { text: 1_000_000 } }, holds: false },
    {
      condition: { equals: { text: 'b', number: 10 }, oneOf: { text: ['b'] }, atMost: { zero: 0 } },
      holds: true,
    },
    { condition: { equals: { text: 'b', number: 11 } }, holds: false },
    { condition: { equals: { text: 'b' }, oneOf: { text: ['a'] } }, holds: false },
    { condition: { equals: { text: 'b' }, atMost: { zero: -1 } }, holds: false },
    { condition: {}, holds: true },
  ]
  test.each(conditions)('$condition holds for an item that fits: $holds', async ({ condition, holds }) => {
    const key = newKey()
    await tables.main.put({ ...key, ...stored })
    const updated = await tables.main.update(key, { set: { touched: 1 } }, condition)
    expect(updated).toEqual(holds ? { ...key, ...stored, touched: 1 } : undefined)
    expect(await tables.main.put({ ...key, ...stored }, condition)).toBe(holds)
    expect(await tables.main.remove(key, condition)).toBe(holds)
    expect((await tables.main.get(key)) !== undefined).toBe(!holds)
  })

  test.each<{ condition: Condition; holds: boolean }>([
    { condition: { exists: true }, holds: false },
    { condition: { exists: false }, holds: true },
    { condition: { equals: { state: 'a' } }, holds: false },
    { condition: { oneOf: { state: ['a'] } }, holds: false },
    { condition: { atMost: { untilMs: 0 } }, holds: true },
  ])('$condition holds where there is no item: $holds', async ({ condition, holds }) => {
    const key = newKey()
    expect(await tables.main.remove(key, condition)).toBe(holds)
    expect(await tables.main.put({ ...key, a: 1 }, condition)).toBe(holds)
    expect((await tables.main.get(key)) !== undefined).toBe(holds)
  })
}
