/**
 * The whole system, with AWS's own runtime client in the place of our threads: API Gateway's requests, SQS's batches and
 * the scheduler's ticks reach the bundles as on Lambda, and each process is frozen between two of them.
 */

import { beforeAll, describe, expect, test } from 'vitest'
import { type Boot, bootThread } from '../../infra/local/execution-environment.ts'
import { isObject } from '../../infra/local/json-shape.ts'
import { issuedSecrets, leaks } from '../support/leaks.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { makeEveryCall } from '../system/every-call.ts'
import { missingClient } from './client.ts'
import { bootUnderClient } from './client-environment.ts'
import { started } from './invoking.ts'

const names = ['Api', 'Connect', 'Fetch', 'NotifyWebhooks', 'Schedule', 'Send']

describe.skipIf(missingClient)('under the runtime client', () => {
  /** What each function was given by its own source, in the order in which it answered. */
  const answered: { name: string; payload: string }[] = []
  const recording: Boot = (definition, log) => {
    const environment = bootUnderClient()(definition, log)
    return {
      ...environment,
      async invoke(invocation) {
        const result = await environment.invoke(invocation)
        answered.push({ name: definition.name, payload: invocation.payload })
        return result
      },
    }
  }
  const running = useRunningSystem({ boot: recording })
  beforeAll(() => makeEveryCall(running))

  test('every function does all that it may do, called by its own source', () => {
    expect([...new Set(answered.map(({ name }) => name))].toSorted()).toEqual(names)
    const refused = running.system.cloud.uses().filter(({ allowedBy }) => !allowedBy)
    expect(refused).toEqual([])
  })

  test('no invocation fails', () => {
    expect(running.log.filter(line => 'errorType' in line)).toEqual([])
  })

  test.each(names)('%s answers an event of its source as it does in our thread', async name => {
    const { functions } = running.system.cloud
    const definition = functions.find(one => one.name === name)
    // Of HTTP, one that changes nothing: the others find what they did before.
    const payload = answered.findLast(
      one =>
        one.name === name && (!one.payload.includes('"http":') || one.payload.includes('"method":"GET"')),
    )?.payload
    if (!definition || !payload) throw new Error(`${name} has had no such event`)
    const underClient = await started(bootUnderClient(), definition).invoke(payload)
    expect(underClient).toEqual(await started(bootThread, definition).invoke(payload))
  })

  test('every line that a function writes is one JSON object with its time, and no secret is in it', () => {
    const lines = running.log.filter(line => 'stream' in line)
    const whole = (line: object) =>
      'record' in line && isObject(line.record) && ('timestamp' in line.record || '_aws' in line.record)
    expect(lines.length).toBeGreaterThan(20)
    expect(lines.filter(line => !whole(line))).toEqual([])

    const secrets = issuedSecrets(running)
    expect(secrets.size).toBeGreaterThan(10)
    expect(leaks(secrets, new Map(lines.map(line => [JSON.stringify(line), JSON.stringify(line)])))).toEqual(
      [],
    )
  })
})
