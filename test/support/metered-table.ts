/** A table in memory that counts what DynamoDB would: units, and the heat of each partition in each second. */

import type { Item, Key, Table } from '../../functions/channel/table.ts'
import { keyNames } from '../../functions/channel/table-names.ts'
import { openMemoryTable } from './memory-table.ts'

/**
 * What one partition gives in a second.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
 */
export const partitionLimits = { reads: 3_000, writes: 1_000 }

const unitBytes = { read: 4_096, write: 1_024 }

export interface Meter {
  readUnits: number
  writeUnits: number
  /** Of one partition in one second. */
  hottestReads: { units: number; partition: string }
  hottestWrites: { units: number; partition: string }
}

/** @param now simulated, epoch milliseconds */
export function openMeteredTable(now: () => number): { table: Table; meter: Meter } {
  const main = openMemoryTable()
  const meter: Meter = {
    readUnits: 0,
    writeUnits: 0,
    hottestReads: { units: 0, partition: '' },
    hottestWrites: { units: 0, partition: '' },
  }
  let second = 0
  let reads = new Map<string, number>()
  let writes = new Map<string, number>()

  function heat(of: 'hottestReads' | 'hottestWrites', partition: string, units: number): void {
    const at = Math.floor(now() / 1000)
    if (at !== second) {
      second = at
      reads = new Map()
      writes = new Map()
    }
    const counts = of === 'hottestReads' ? reads : writes
    const total = (counts.get(partition) ?? 0) + units
    counts.set(partition, total)
    if (total > meter[of].units) meter[of] = { units: total, partition }
  }
  function read(partition: string, bytes: number, isConsistent: boolean): void {
    const units = Math.max(1, Math.ceil(bytes / unitBytes.read)) * (isConsistent ? 1 : 0.5)
    meter.readUnits += units
    heat('hottestReads', partition, units)
  }
  function write(partition: string, units = 1): void {
    meter.writeUnits += units
    heat('hottestWrites', partition, units)
  }

  /** An index whose key moves is written twice: out of the old partition, into the new one. */
  function writeItem(before: Item | undefined, after: Item | undefined): void {
    const item = after ?? before
    if (item) write(String(item.pk), Math.ceil(sizeOf([item]) / unitBytes.write))
    for (const [pk, sk] of indexKeys) {
      const [from, to] = [before?.[pk], after?.[pk]]
      if (from === to && before?.[sk] === after?.[sk]) continue
      if (typeof from === 'string') write(from)
      if (typeof to === 'string') write(to)
    }
  }

  const readKeys = (pk: string, keys: Key[]) => read(pk, keys.length * indexRowBytes, false)

  return {
    meter,
    table: {
      async get(key) {
        const item = await main.get(key)
        read(key.pk, sizeOf([item]), true)
        return item
      },
      async getMany(keys) {
        const items = await main.getMany(keys)
        for (const [index, key] of keys.entries()) read(key.pk, sizeOf([items[index]]), true)
        return items
      },
      async put(item, condition) {
        const before = await main.get(item)
        const isDone = await main.put(item, condition)
        writeItem(before, isDone ? item : before)
        return isDone
      },
      async update(key, change, condition) {
        const before = await main.get(key)
        const after = await main.update(key, change, condition)
        writeItem(before, after ?? before)
        return after
      },
      async remove(key, condition) {
        const before = await main.get(key)
        const isDone = await main.remove(key, condition)
        writeItem(before, isDone ? undefined : before)
        return isDone
      },
      async partition(pk, options) {
        const items = await main.partition(pk, options)
        read(pk, sizeOf(items), true)
        return items
      },
      async listing(pk, options) {
        const page = await main.listing(pk, options)
        readKeys(pk, page.items)
        return page
      },
      async due(pk, untilSk, limit) {
        const keys = await main.due(pk, untilSk, limit)
        readKeys(pk, keys)
        return keys
      },
      async *duePages(pk, untilSk) {
        for await (const keys of main.duePages(pk, untilSk)) {
          // DynamoDB answers 1 MB at most, so a reader that has enough stops there.
          for (let from = 0; from === 0 || from < keys.length; from += rowsOfPage) {
            const page = keys.slice(from, from + rowsOfPage)
            readKeys(pk, page)
            yield page
          }
        }
      },
    },
  }
}

const indexKeys = [
  [keyNames.listingPartition, keyNames.listingSort],
  [keyNames.duePartition, keyNames.dueSort],
] as const

/** Four keys of about 30 letters, their names, and DynamoDB's 100 bytes for the row. */
const indexRowBytes = 240
const rowsOfPage = Math.floor(1_048_576 / indexRowBytes)

function sizeOf(items: (Item | undefined)[]): number {
  return items.reduce((sum: number, item) => sum + (item ? JSON.stringify(item).length : 0), 0)
}
