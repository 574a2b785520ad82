/**
 * What a workbench's services use of AWS. The engine here counts neither what indexes cost nor the least of a query:
 * both are added by DynamoDB's rules.
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.ThroughputConsiderations.Writes
 */

import { type AttributeValue, DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import { keyNames } from '../../functions/channel/table-names.ts'
import type { Workbench } from './workbench.ts'

export interface Usage {
  reads: number
  writes: number
  s3Puts: number
  s3Gets: number
  snsPublishes: number
  kmsCalls: number
}

const nothing: Usage = { reads: 0, writes: 0, s3Puts: 0, s3Gets: 0, snsPublishes: 0, kmsCalls: 0 }

/** Marshalled or not: it depends on which of the two clients made the call. */
const text = v.union([
  v.string(),
  v.pipe(
    v.looseObject({ S: v.string() }),
    v.transform(({ S }) => S),
  ),
])
const key = v.looseObject({ pk: text, sk: text })
const inputSchema = v.looseObject({
  TableName: v.optional(v.string()),
  Key: v.optional(v.unknown()),
  Item: v.optional(v.unknown()),
  ConsistentRead: v.optional(v.boolean()),
})
const outputSchema = v.looseObject({
  ConsumedCapacity: v.optional(
    v.union([
      v.looseObject({ CapacityUnits: v.number() }),
      v.array(v.looseObject({ CapacityUnits: v.number() })),
    ]),
  ),
})

type Stored = Record<string, AttributeValue> | undefined

/** Both indexes hold keys only, and no key is near a kilobyte: what is added or taken away is one unit each. */
function indexWrites(before: Stored, after: Stored): number {
  const indexes = [
    [keyNames.listingPartition, keyNames.listingSort],
    [keyNames.duePartition, keyNames.dueSort],
  ]
  const place = (item: Stored, names: string[]) => {
    const values = names.map(name => item?.[name]?.S)
    return values.includes(undefined) ? null : values.join('\n')
  }
  const units = indexes.map(names => {
    const [from, to] = [place(before, names), place(after, names)]
    return from === to ? 0 : [from, to].filter(one => one !== null).length
  })
  return units.reduce((sum, one) => sum + one, 0)
}

/** Counts what is used while `work` runs. */
export async function openMeter({
  stores,
}: Workbench): Promise<(work: () => Promise<unknown>) => Promise<Usage>> {
  let used = { ...nothing }
  // A client of its own, which nobody counts.
  const endpoint = await stores.dynamodb.config.endpoint?.()
  if (!endpoint) throw new Error('The engine has no endpoint')
  const peek = new DynamoDBClient({
    region: 'us-east-1',
    credentials: stores.dynamodb.config.credentials,
    endpoint,
  })
  const look = async ({ TableName, Key, Item }: v.InferOutput<typeof inputSchema>): Promise<Stored> => {
    const { pk, sk } = parse(key, Key ?? Item)
    const wanted = { pk: { S: pk }, sk: { S: sk } }
    return (await peek.send(new GetItemCommand({ TableName, Key: wanted, ConsistentRead: true }))).Item
  }

  stores.dynamodb.middlewareStack.add(
    (next, { commandName = '' }) =>
      async args => {
        const input = parse(inputSchema, args.input)
        const isWrite = /^(Put|Update|Delete)/.test(commandName)
        const before = isWrite ? await look(input) : undefined
        const result = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
        const consumed = [parse(outputSchema, result.output).ConsumedCapacity ?? []].flat()
        const units = consumed.reduce((sum, { CapacityUnits }) => sum + CapacityUnits, 0)
        if (isWrite) used.writes += units + indexWrites(before, await look(input))
        else used.reads += Math.max(units, input.ConsistentRead ? 1 : 0.5)
        return result
      },
    { step: 'initialize', name: 'meter', priority: 'low' },
  )

  return async work => {
    used = { ...nothing }
    const from = stores.calls.length
    await work()
    for (const { service, command } of stores.calls.slice(from)) {
      if (command === 'PutObjectCommand') used.s3Puts += 1
      if (command === 'GetObjectCommand') used.s3Gets += 1
      if (service === 'sns') used.snsPublishes += 1
      if (service === 'kms') used.kmsCalls += 1
    }
    return used
  }
}
