/** The only file that talks to DynamoDB. Every write is one item, conditional where an invariant needs it. */

import { ConditionalCheckFailedException, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  BatchGetCommand,
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  type QueryCommandInput,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import type * as v from 'valibot'
import { type Change, type Condition, expressions } from './expressions.ts'
import { PostroomError } from './faults.ts'
import { check } from './schema-check.ts'
import { indexNames, keyNames } from './table-names.ts'

export interface Key {
  pk: string
  sk: string
}

export type Item = Record<string, unknown>

export interface PageOf<T> {
  items: T[]
  /** The sort key after which the next page begins; null at the end. */
  after: string | null
}

export interface Table {
  /** Reads one item, consistently. */
  get(key: Key): Promise<Item | undefined>
  /** Reads many, consistently; in the order of `keys`, with gaps for what is absent. */
  getMany(keys: Key[]): Promise<(Item | undefined)[]>
  /** @returns false if the condition did not hold */
  put(item: Key & Item, condition?: Condition): Promise<boolean>
  /** Changes an item that exists, unless the condition says otherwise. @returns the new item, or undefined if the condition did not hold */
  update(key: Key, change: Change, condition?: Condition): Promise<Item | undefined>
  /** @returns false if the condition did not hold */
  remove(key: Key, condition?: Condition): Promise<boolean>
  /** Items of one partition in the order of their sort keys, consistently. */
  partition(pk: string, options?: { prefix?: string; after?: string; limit?: number }): Promise<Item[]>
  /** Keys from the sparse index `listing`, page by page. Eventually consistent. */
  listing(
    pk: string,
    options: { prefix?: string; after?: string; before?: string; limit: number; descending?: boolean },
  ): Promise<PageOf<Key>>
  /** Keys from the sparse index `due` whose time has come. Eventually consistent. */
  due(pk: string, untilSk: string, limit: number): Promise<Key[]>
  /** As `due`, all of them, page by page. */
  duePages(pk: string, untilSk: string): AsyncIterable<Key[]>
}

/** DynamoDB's own limit for BatchGetItem. */
const batchGetLimit = 100

export function openTable(client: DynamoDBClient, name: string): Table {
  const db = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } })

  const conditionally = async <T>(write: Promise<T>): Promise<T | undefined> => {
    try {
      return await write
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return undefined
      throw error
    }
  }

  const readBatch = async (keys: Key[]): Promise<Map<string, Item>> => {
    const found = new Map<string, Item>()
    let wanted = keys
    while (wanted.length > 0) {
      const answer = await db.send(
        new BatchGetCommand({ RequestItems: { [name]: { Keys: wanted, ConsistentRead: true } } }),
      )
      for (const item of answer.Responses?.[name] ?? []) found.set(`${item.pk}\n${item.sk}`, item)
      wanted = (answer.UnprocessedKeys?.[name]?.Keys ?? []).map(key => ({ pk: `${key.pk}`, sk: `${key.sk}` }))
    }
    return found
  }

  const query = async (input: Omit<QueryCommandInput, 'TableName'>) =>
    db.send(new QueryCommand({ TableName: name, ...input }))

  return {
    async get(key) {
      return (await db.send(new GetCommand({ TableName: name, Key: key, ConsistentRead: true }))).Item
    },

    async getMany(keys) {
      const unique = [...new Map(keys.map(key => [`${key.pk}\n${key.sk}`, key])).values()]
      const found = new Map<string, Item>()
      for (let i = 0; i < unique.length; i += batchGetLimit) {
        for (const [id, item] of await readBatch(unique.slice(i, i + batchGetLimit))) found.set(id, item)
      }
      return keys.map(key => found.get(`${key.pk}\n${key.sk}`))
    },

    async put(item, condition) {
      const write = db.send(new PutCommand({ TableName: name, Item: item, ...expressions({}, condition) }))
      return (await conditionally(write)) !== undefined
    },

    async update(key, change, condition) {
      // Without this, DynamoDB would make an item out of nothing but the changed attributes.
      const guarded = { exists: true, ...condition }
      const write = db.send(
        new UpdateCommand({
          TableName: name,
          Key: key,
          ReturnValues: 'ALL_NEW',
          ...expressions(change, guarded),
        }),
      )
      return (await conditionally(write))?.Attributes
    },

    async remove(key, condition) {
      const write = db.send(new DeleteCommand({ TableName: name, Key: key, ...expressions({}, condition) }))
      return (await conditionally(write)) !== undefined
    },

    async partition(pk, { prefix, after, limit } = {}) {
      const range = prefix ? ' AND begins_with(sk, :from)' : after ? ' AND sk > :from' : ''
      const bound = prefix ?? after
      const items: Item[] = []
      let from: QueryCommandInput['ExclusiveStartKey']
      do {
        const answer = await query({
          ConsistentRead: true,
          KeyConditionExpression: `pk = :pk${range}`,
          ExpressionAttributeValues: bound ? { ':pk': pk, ':from': bound } : { ':pk': pk },
          Limit: limit,
          ExclusiveStartKey: from,
        })
        items.push(...(answer.Items ?? []))
        from = answer.LastEvaluatedKey
      } while (from && (limit === undefined || items.length < limit))
      return limit === undefined ? items : items.slice(0, limit)
    },

    async listing(pk, { prefix = '', after, before, limit, descending = false }) {
      // A cursor only narrows the range: one from elsewhere must not lead out of it. No key begins below a
      // space, and DynamoDB takes no empty string as a bound.
      const lowest = prefix || ' '
      const highest = before ?? `${prefix}\uffff`
      const low = descending || after === undefined || after < lowest ? lowest : after
      const high = descending && after !== undefined && after < highest ? after : highest
      if (low > high) return { items: [], after: null }
      const answer = await query({
        IndexName: indexNames.listing,
        KeyConditionExpression: `${keyNames.listingPartition} = :pk AND ${keyNames.listingSort} BETWEEN :low AND :high`,
        ExpressionAttributeValues: { ':pk': pk, ':low': low, ':high': high },
        ScanIndexForward: !descending,
        // BETWEEN holds its ends, so the item named by `after` comes first again and is dropped below.
        Limit: limit + 2,
      })
      const rows = (answer.Items ?? []).filter(item => item[keyNames.listingSort] !== after)
      const page = rows.slice(0, limit)
      const last = page.at(-1)?.[keyNames.listingSort]
      return {
        items: page.map(item => ({ pk: `${item.pk}`, sk: `${item.sk}` })),
        after: rows.length > limit && last !== undefined ? `${last}` : null,
      }
    },

    async due(pk, untilSk, limit) {
      return keysOf(await query({ ...dueBy(pk, untilSk), Limit: limit }))
    },

    async *duePages(pk, untilSk) {
      let from: QueryCommandInput['ExclusiveStartKey']
      do {
        const answer = await query({ ...dueBy(pk, untilSk), ExclusiveStartKey: from })
        yield keysOf(answer)
        from = answer.LastEvaluatedKey
      } while (from)
    },
  }
}

const dueBy = (pk: string, untilSk: string) => ({
  IndexName: indexNames.due,
  KeyConditionExpression: `${keyNames.duePartition} = :pk AND ${keyNames.dueSort} <= :until`,
  ExpressionAttributeValues: { ':pk': pk, ':until': untilSk },
})

function keysOf({ Items = [] }: { Items?: Item[] }): Key[] {
  return Items.map(({ pk, sk }) => ({ pk: `${pk}`, sk: `${sk}` }))
}

/** Makes of an item of one version an item of the next. The first of a noun's list makes version 2 of version 1. */
type Upgrade = (item: Item) => Item

/**
 * Reads an item of this release or an earlier one. A field that a later release adds has a default in the noun's schema, and
 * needs no more. A change that no default can express is a new version: the noun then writes `schemaVersion` and reads with
 * one more upgrade. Items without a `schemaVersion` are of version 1.
 * @throws PostroomError `stored_item_invalid` naming item and fields, never their values; also for an item of a newer release
 */
export function readItem<S extends v.GenericSchema>(
  schema: S,
  item: Item,
  upgrades: Upgrade[] = [],
): v.InferOutput<S> {
  const version = Number(item.schemaVersion ?? 1)
  const newest = upgrades.length + 1
  if (version > newest) {
    const rule = `must be at most ${newest}; a newer release has written this`
    throw new PostroomError('stored_item_invalid', {
      evidence: `${item.pk} ${item.sk}`,
      errors: [{ field: 'schemaVersion', rule, found: String(version) }],
    })
  }
  const upgraded = upgrades.slice(version - 1).reduce((older, upgrade) => upgrade(older), item)
  const result = check(schema, upgraded)
  if (result.success) return result.data
  throw new PostroomError('stored_item_invalid', {
    evidence: `${item.pk} ${item.sk}`,
    errors: result.broken.map(({ path, rule }) => ({ field: path.join('.'), rule, found: '(not shown)' })),
  })
}
