/** Items of earlier and of newer releases. */

import * as v from 'valibot'
import { expect, test } from 'vitest'
import { readItem } from '../../functions/channel/table.ts'
import { thrownBy } from '../support/thrown-error.ts'

/** A noun that once held one address in a text, and holds a list by now. */
const schema = v.object({
  id: v.string(),
  to: v.array(v.string()),
  note: v.optional(v.nullable(v.string()), null),
})
const upgrades = [(item: Record<string, unknown>) => ({ ...item, to: [item.to] })]

test('an item of an earlier version is brought to today’s shape as it is read', () => {
  expect(readItem(schema, { pk: 'a', sk: 'b', id: '1', to: 'ada@x.example' }, upgrades)).toEqual({
    id: '1',
    to: ['ada@x.example'],
    note: null,
  })
})

test('an item of today is read as it is', () => {
  const item = { pk: 'a', sk: 'b', id: '1', to: ['ada@x.example'], note: 'n', schemaVersion: 2 }
  expect(readItem(schema, item, upgrades)).toEqual({ id: '1', to: ['ada@x.example'], note: 'n' })
})

test('an item of a newer release is refused by its version, before anything is made of it', async () => {
  const item = { pk: 'MESSAGE#1', sk: 'A', id: '1', to: { list: [] }, schemaVersion: 3 }
  expect(await thrownBy(() => readItem(schema, item, upgrades))).toMatchObject({
    code: 'stored_item_invalid',
    evidence: 'MESSAGE#1 A',
    errors: [
      { field: 'schemaVersion', rule: 'must be at most 2; a newer release has written this', found: '3' },
    ],
  })
})
