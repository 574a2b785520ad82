/** Contract: partitions and batches of keys, in order and complete. */

import { describe, expect, test } from 'vitest'
import { fresh, race, type Tables } from './tables-under-test.ts'

const number = (index: number) => String(index).padStart(4, '0')
const sortKeys = (items: { sk?: unknown }[]) => items.map(({ sk }) => sk)

export function readingMany(tables: Tables): void {
  describe('partition', () => {
    test('is read in the order of the UTF-8 bytes of its sort keys', async () => {
      const pk = fresh('PART')
      const inOrder = ['#', '0', '10', '9', 'A', 'Z', 'a', 'z', 'ä', '世', '\uffff', '🙂']
      await race(inOrder.length, index => tables.main.put({ pk, sk: inOrder.toReversed()[index] ?? '' }))
      expect(sortKeys(await tables.main.partition(pk))).toEqual(inOrder)
    })

    test('with a prefix, only what begins with it is read', async () => {
      const pk = fresh('PART')
      for (const sk of ['A', 'A#', 'A#1', 'A#2', 'AB#3', 'B#4']) await tables.main.put({ pk, sk })
      expect(sortKeys(await tables.main.partition(pk, { prefix: 'A#' }))).toEqual(['A#', 'A#1', 'A#2'])
      expect(await tables.main.partition(pk, { prefix: 'C' })).toEqual([])
    })

    test('that is not there is empty', async () => {
      expect(await tables.main.partition(fresh('PART'))).toEqual([])
    })

    /** DynamoDB answers a query with up to a megabyte at a time; here are more than two. */
    async function largePartition() {
      const pk = fresh('PART')
      await race(24, index => tables.main.put({ pk, sk: number(index), text: 'x'.repeat(100_000) }))
      return { pk, inOrder: Array.from({ length: 24 }, (_, index) => number(index)) }
    }

    test('of more than a megabyte is read to its end', async () => {
      const { pk, inOrder } = await largePartition()
      expect(sortKeys(await tables.main.partition(pk))).toEqual(inOrder)
    })

    test.each([1, 3, 17, 24, 30])(
      'of more than a megabyte is read up to a limit of %i, and no further',
      async limit => {
        const { pk, inOrder } = await largePartition()
        expect(sortKeys(await tables.main.partition(pk, { limit }))).toEqual(inOrder.slice(0, limit))
      },
    )

    test('shows at once what was written, changed and removed', async () => {
      const pk = fresh('PART')
      await race(10, index => tables.main.put({ pk, sk: number(index) }))
      await tables.main.update({ pk, sk: number(3) }, { set: { changed: true } })
      await tables.main.remove({ pk, sk: number(4) })
      const items = await tables.main.partition(pk)
      expect(items).toHaveLength(9)
      expect(items[3]).toEqual({ pk, sk: number(3), changed: true })
    })
  })

  describe('getMany', () => {
    test('answers 250 keys in their order, with gaps for what is absent, and twice what is asked twice', async () => {
      const pk = fresh('MANY')
      const keys = Array.from({ length: 250 }, (_, index) => ({
        pk: `${pk}-${index % 7}`,
        sk: number(index),
      }))
      await Promise.all(
        keys.filter((_, index) => index % 3 !== 0).map(key => tables.main.put({ ...key, ...key })),
      )
      const asked = [...keys.toReversed(), ...keys.slice(0, 5)]
      const expected = asked.map(key => (Number(key.sk) % 3 === 0 ? undefined : key))
      expect(await tables.main.getMany(asked)).toEqual(expected)
    })

    test('answers no keys with no items', async () => {
      expect(await tables.main.getMany([])).toEqual([])
    })

    test('of more than the 16 megabytes of one answer brings every item', async () => {
      const pk = fresh('MANY')
      const keys = Array.from({ length: 48 }, (_, index) => ({ pk, sk: number(index) }))
      for (let i = 0; i < keys.length; i += 8) {
        await Promise.all(
          keys.slice(i, i + 8).map(key => tables.main.put({ ...key, text: 'x'.repeat(380_000) })),
        )
      }
      const items = await tables.main.getMany(keys)
      expect(sortKeys(items.map(item => item ?? {}))).toEqual(sortKeys(keys))
    }, 60_000)
  })
}
