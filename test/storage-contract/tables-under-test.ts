/** What a part of the contract works with: two tables that it shares with the other parts. */

import { randomBytes } from 'node:crypto'
import type { Table } from '../../functions/channel/table.ts'

/** Filled in when the tests run. */
export interface Tables {
  main: Table
  secrets: Table
}

/** Tests share the tables: each has keys of its own. */
export function fresh(name: string): string {
  return `${name}-${randomBytes(6).toString('hex')}`
}

/** Runs the calls at the same time. @returns what each returned */
export function race<T>(count: number, call: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => call(index)))
}
