/** Contract: the indexes `listing` and `due`, in order, page by page, with nothing lost and nothing twice. */

import { describe, expect, test } from 'vitest'
import type { Key } from '../../functions/channel/table.ts'
import { fresh, race, type Tables } from './tables-under-test.ts'

const number = (index: number) => String(index).padStart(4, '0')

export function sparseIndexes(tables: Tables): void {
  describe('listing', () => {
    /** Rows `prefix` + 0000 … in an index partition of their own. */
    async function list(count: number, prefix = '') {
      const listPk = fresh('LIST')
      await race(count, index =>
        tables.main.put({
          pk: `${listPk}#${index}`,
          sk: 'ROW',
          listPk,
          listSk: `${prefix}${number(index)}`,
          more: 1,
        }),
      )
      const indexOf = ({ pk }: Key) => Number(pk.slice(listPk.length + 1))
      return { listPk, indexOf }
    }

    /** Follows the cursor to the end, as an app does. */
    async function readAll(listPk: string, options: Omit<Parameters<Tables['main']['listing']>[1], 'after'>) {
      const pages: Key[][] = []
      let after: string | undefined
      do {
        const page = await tables.main.listing(listPk, { ...options, after })
        pages.push(page.items)
        after = page.after ?? undefined
      } while (after !== undefined && pages.length < 100)
      return pages
    }

    const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

    test.each([1, 2, 3, 5, 9, 10, 11, 100])(
      'of 10 rows in pages of %i shows each once, in order',
      async limit => {
        const { listPk, indexOf } = await list(10)
        const pages = await readAll(listPk, { limit })
        expect(pages.flat().map(indexOf)).toEqual(upTo(10))
        expect(pages).toHaveLength(Math.ceil(10 / limit))
        expect(Math.max(...pages.map(page => page.length))).toBeLessThanOrEqual(limit)
      },
    )

    test.each([1, 3, 10])('descending, in pages of %i, shows each once, from the end', async limit => {
      const { listPk, indexOf } = await list(10, 'row#')
      const pages = await readAll(listPk, { limit, descending: true, prefix: 'row#' })
      expect(pages.flat().map(indexOf)).toEqual(upTo(10).toReversed())
      expect(pages).toHaveLength(Math.ceil(10 / limit))
    })

    test('gives the keys of the rows and nothing else', async () => {
      const { listPk } = await list(1)
      expect(await tables.main.listing(listPk, { limit: 5 })).toEqual({
        items: [{ pk: `${listPk}#0`, sk: 'ROW' }],
        after: null,
      })
    })

    test('is empty where nothing is listed, and after the last row', async () => {
      const { listPk } = await list(2)
      expect(await tables.main.listing(fresh('LIST'), { limit: 5 })).toEqual({ items: [], after: null })
      expect(await tables.main.listing(listPk, { limit: 5, after: number(1) })).toEqual({
        items: [],
        after: null,
      })
      const beyond = { limit: 5, after: 'z', before: 'y' }
      expect(await tables.main.listing(listPk, beyond)).toEqual({ items: [], after: null })
    })

    test('keeps to its prefix, ascending and descending', async () => {
      const listPk = fresh('LIST')
      for (const listSk of ['a#1', 'a#2', 'ab#1', 'b#1'])
        await tables.main.put({ pk: `${listPk}#${listSk}`, sk: 'R', listPk, listSk })
      const found = async (descending: boolean) =>
        (await readAll(listPk, { limit: 1, prefix: 'a#', descending }))
          .flat()
          .map(({ pk }) => pk.slice(listPk.length + 1))
      expect(await found(false)).toEqual(['a#1', 'a#2'])
      expect(await found(true)).toEqual(['a#2', 'a#1'])
    })

    test('ends before `before`, which may be the beginning of a row', async () => {
      const listPk = fresh('LIST')
      for (const listSk of ['t1#x', 't2#x', 't3#x', 't3#y'])
        await tables.main.put({ pk: `${listPk}#${listSk}`, sk: 'R', listPk, listSk })
      const pages = await readAll(listPk, { limit: 1, before: 't3' })
      expect(pages.flat().map(({ pk }) => pk.slice(listPk.length + 1))).toEqual(['t1#x', 't2#x'])
    })

    test.each([false, true])(
      'goes on after a row that is gone meanwhile (descending: %s)',
      async descending => {
        const { listPk, indexOf } = await list(6)
        const first = await tables.main.listing(listPk, { limit: 2, descending })
        const last = first.items.at(-1)
        if (last) await tables.main.remove(last)
        const rest = await tables.main.listing(listPk, {
          limit: 10,
          after: first.after ?? undefined,
          descending,
        })
        expect(rest.items.map(indexOf)).toEqual(descending ? [3, 2, 1, 0] : [2, 3, 4, 5])
      },
    )

    test('shows rows that were added behind its cursor, and none that was shown before', async () => {
      const { listPk, indexOf } = await list(3)
      const first = await tables.main.listing(listPk, { limit: 2 })
      await tables.main.put({ pk: `${listPk}#7`, sk: 'ROW', listPk, listSk: number(7) })
      const rest = await tables.main.listing(listPk, { limit: 2, after: first.after ?? undefined })
      expect(rest.items.map(indexOf)).toEqual([2, 7])
      expect(rest.after).toBeNull()
    })

    test('of 300 rows in pages of 100 is complete', async () => {
      const { listPk, indexOf } = await list(300)
      expect((await readAll(listPk, { limit: 100 })).flat().map(indexOf)).toEqual(upTo(300))
    })

    test('leaves out what has no place in it', async () => {
      const { listPk, indexOf } = await list(3)
      await tables.main.put({ pk: `${listPk}#8`, sk: 'ROW', listPk })
      await tables.main.update({ pk: `${listPk}#1`, sk: 'ROW' }, { remove: ['listPk', 'listSk'] })
      expect((await readAll(listPk, { limit: 5 })).flat().map(indexOf)).toEqual([0, 2])
    })
  })

  describe('due', () => {
    const due = (duePk: string, at: string) => ({ pk: `${duePk}#${at}`, sk: 'ROW', duePk, dueSk: at })

    test('shows what is due by a time, that time included, earliest first, up to a limit', async () => {
      const duePk = fresh('DUE')
      for (const at of ['4', '2', '1', '3']) await tables.main.put(due(duePk, at))
      const dueBy = async (at: string, limit = 10) =>
        (await tables.main.due(duePk, at, limit)).map(({ pk }) => pk.slice(duePk.length + 1))
      expect(await dueBy('3')).toEqual(['1', '2', '3'])
      expect(await dueBy('3', 2)).toEqual(['1', '2'])
      expect(await dueBy('0')).toEqual([])
    })

    test('is sparse: without its keys an item is in it no longer', async () => {
      const duePk = fresh('DUE')
      const { pk, sk } = due(duePk, '1')
      await tables.main.put({ ...due(duePk, '1'), kept: 1 })
      expect(await tables.main.due(duePk, '9', 10)).toEqual([{ pk, sk }])
      await tables.main.update({ pk, sk }, { remove: ['duePk', 'dueSk'] })
      expect(await tables.main.due(duePk, '9', 10)).toEqual([])
      expect(await tables.main.get({ pk, sk })).toEqual({ pk, sk, kept: 1 })
    })

    test('shows a row that was put off at its new place only', async () => {
      const duePk = fresh('DUE')
      const { pk, sk } = due(duePk, '1')
      await tables.main.put(due(duePk, '1'))
      await tables.main.update({ pk, sk }, { set: { duePk, dueSk: '5' } })
      expect(await tables.main.due(duePk, '4', 10)).toEqual([])
      expect(await tables.main.due(duePk, '5', 10)).toEqual([{ pk, sk }])
    })

    test('forgets an item that is removed or replaced', async () => {
      const duePk = fresh('DUE')
      const [first, second] = [due(duePk, '1'), due(duePk, '2')]
      await tables.main.put(first)
      await tables.main.put(second)
      await tables.main.remove({ pk: first.pk, sk: first.sk })
      await tables.main.put({ pk: second.pk, sk: second.sk })
      expect(await tables.main.due(duePk, '9', 10)).toEqual([])
    })
  })
}
