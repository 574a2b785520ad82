/** What sending costs in DynamoDB's own units, as Amazon's engine counts them: dynalite does not know those of indexes. */

import type { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startEngines } from '../support/running-engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { startDynamodbLocal } from './dynamodb-local.ts'
import { missingForStorage } from './installed.ts'

/** @returns what was consumed since the last call */
function meter(client: DynamoDBClient): () => { read: number; write: number } {
  let units = { read: 0, write: 0 }
  client.middlewareStack.add(
    (next, context) => async args => {
      const answer = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
      const consumed: unknown = Reflect.get(answer.output, 'ConsumedCapacity')
      const kind = /^(Get|BatchGet|Query)/.test(context.commandName ?? '') ? 'read' : 'write'
      for (const one of [consumed].flat())
        units[kind] += Number(Reflect.get(Object(one), 'CapacityUnits') ?? 0)
      return answer
    },
    { step: 'initialize', name: 'meterUnits' },
  )
  return () => {
    const counted = units
    units = { read: 0, write: 0 }
    return counted
  }
}

describe.skipIf(missingForStorage !== null)('Amazon’s own engine', () => {
  test('a short message costs so many units from its acceptance to its event, in a drain of its own and among others', async () => {
    const dynamodb = await startDynamodbLocal()
    const engines = await startEngines({ dynamodbEndpoint: dynamodb.endpoint })
    onTestFinished(async () => {
      await engines.close()
      await dynamodb.stop()
    })
    const sending = await startSendingChannel(engines)
    const units = meter(sending.bench.stores.dynamodb)
    await sending.accept('warms up')
    await sending.drain()

    units()
    await sending.accept('alone')
    const accepting = units()
    await sending.drain()
    const alone = units()
    for (let i = 0; i < 10; i++) await sending.accept(`among ${i}`)
    units()
    await sending.drain()
    const ten = units()
    const each = { read: (ten.read - alone.read) / 9, write: (ten.write - alone.write) / 9 }
    expect({ accepting, alone, each }).toEqual({
      accepting: { read: 1, write: 5 },
      alone: { read: 4, write: 10 },
      each: { read: 1, write: 7 },
    })
  }, 120_000)
})
