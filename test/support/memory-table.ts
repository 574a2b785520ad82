/** A table in this process, as fast as simulations need. The storage contract holds it to what DynamoDB does. */

import type { Change, Condition } from '../../functions/channel/expressions.ts'
import type { Item, Key, Table } from '../../functions/channel/table.ts'
import { keyNames } from '../../functions/channel/table-names.ts'

type Row = Key & Item

export function openMemoryTable(): Table {
  const partitions = new Map<string, Map<string, Row>>()
  const indexes = { listing: new Map<string, Set<Row>>(), due: new Map<string, Set<Row>>() }
  const places = [
    { index: indexes.listing, pk: keyNames.listingPartition, sk: keyNames.listingSort },
    { index: indexes.due, pk: keyNames.duePartition, sk: keyNames.dueSort },
  ]

  /** What was read in order and has not changed since: a page of a large partition must not sort all of it again. */
  const sorted = new WeakMap<Set<Row>, Row[]>()

  const find = ({ pk, sk }: Key) => partitions.get(pk)?.get(sk)

  function store(key: Key, row: Row | undefined): void {
    const old = find(key)
    for (const { index, pk, sk } of places) {
      const oldRows = old && index.get(String(old[pk]))
      if (old && oldRows?.delete(old)) sorted.delete(oldRows)
      if (row && typeof row[pk] === 'string' && typeof row[sk] === 'string') {
        const rows = index.get(row[pk]) ?? new Set()
        sorted.delete(rows)
        index.set(row[pk], rows.add(row))
      }
    }
    const rows = partitions.get(key.pk) ?? new Map<string, Row>()
    partitions.set(key.pk, rows)
    if (row) rows.set(key.sk, row)
    else rows.delete(key.sk)
  }

  const inOrder = (rows: Iterable<Row>, by: string) =>
    [...rows].sort((a, b) => compare(String(a[by]), String(b[by])))

  function indexInOrder(rows: Set<Row> | undefined, by: string): Row[] {
    if (!rows) return []
    const known = sorted.get(rows) ?? inOrder(rows, by)
    sorted.set(rows, known)
    return known
  }

  return {
    async get(key) {
      return copy(find(key))
    },

    async getMany(keys) {
      return keys.map(key => copy(find(key)))
    },

    async put(item, condition) {
      if (!holds(find(item), condition)) return false
      store(item, copy(item))
      return true
    },

    async update(key, change, condition) {
      const row = find(key)
      if (!holds(row, { exists: true, ...condition })) return undefined
      const next = changed(row ?? { ...key }, change)
      store(key, next)
      return copy(next)
    },

    async remove(key, condition) {
      if (!holds(find(key), condition)) return false
      if (find(key)) store(key, undefined)
      return true
    },

    async partition(pk, { prefix, after, limit } = {}) {
      const rows = inOrder(partitions.get(pk)?.values() ?? [], 'sk').filter(({ sk }) =>
        prefix ? sk.startsWith(prefix) : after === undefined || compare(sk, after) > 0,
      )
      return rows.slice(0, limit).map(row => copy(row))
    },

    async listing(pk, { prefix = '', after, before, limit, descending = false }) {
      const place = (row: Row) => String(row[keyNames.listingSort])
      const rows = indexInOrder(indexes.listing.get(pk), keyNames.listingSort)
        .filter(row => place(row).startsWith(prefix))
        .filter(row => before === undefined || compare(place(row), before) <= 0)
      if (descending) rows.reverse()
      const isPast = (row: Row) => {
        const order = compare(place(row), after ?? '')
        return after === undefined || (descending ? order < 0 : order > 0)
      }
      const rest = rows.filter(isPast)
      const last = rest[limit - 1]
      return {
        items: rest.slice(0, limit).map(({ pk, sk }) => ({ pk, sk })),
        after: rest.length > limit && last ? place(last) : null,
      }
    },

    async *duePages(pk, untilSk) {
      yield await this.due(pk, untilSk, Number.POSITIVE_INFINITY)
    },

    async due(pk, untilSk, limit) {
      return indexInOrder(indexes.due.get(pk), keyNames.dueSort)
        .filter(row => compare(String(row[keyNames.dueSort]), untilSk) <= 0)
        .slice(0, limit)
        .map(({ pk, sk }) => ({ pk, sk }))
    },
  }
}

/** DynamoDB orders strings by their UTF-8 bytes. */
function compare(a: string, b: string): number {
  const isPlain = a < '\ud800' && b < '\ud800'
  if (isPlain) return a < b ? -1 : a > b ? 1 : 0
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

/** As it comes back from the wire: a thing of its own, without what is undefined. */
function copy<T>(value: T): T
function copy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return new Uint8Array(value)
  if (Array.isArray(value)) return value.map(entry => copy(entry))
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined)
  return Object.fromEntries(entries.map(([name, entry]) => [name, copy(entry)]))
}

function valueAt(row: Row | undefined, path: string): unknown {
  let value: unknown = row
  for (const name of path.split('.')) {
    value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  }
  return value
}

function holds(row: Row | undefined, condition: Condition = {}): boolean {
  const { exists, equals = {}, oneOf = {}, atMost = {} } = condition
  if (exists !== undefined && exists !== (row !== undefined)) return false
  return (
    Object.entries(equals).every(([path, wanted]) => valueAt(row, path) === wanted) &&
    Object.entries(oneOf).every(([path, list]) => list.includes(String(valueAt(row, path)))) &&
    Object.entries(atMost).every(([path, limit]) => {
      const value = valueAt(row, path)
      return value === undefined || (typeof value === 'number' && value <= limit)
    })
  )
}

function changed(row: Row, { set = {}, remove = [], add = {} }: Change): Row {
  const next = copy(row)
  for (const [name, value] of Object.entries(set)) if (value !== undefined) next[name] = copy(value)
  for (const name of remove) delete next[name]
  for (const [name, value] of Object.entries(add)) next[name] = Number(next[name] ?? 0) + value
  return next
}
