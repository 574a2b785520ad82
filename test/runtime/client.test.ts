/** One bundle at a time under AWS's own runtime client, with nothing in any table: how it starts, fails and answers. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { bootThread } from '../../infra/local/execution-environment.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { deployedFunctions, startEmptyCloud } from '../bench/cold-start.ts'
import { cacheFolder } from '../support/cache.ts'
import { missingClient } from './client.ts'
import { bootUnderClient } from './client-environment.ts'
import { started } from './invoking.ts'

// The one that every test process trusts, and a client through NODE_EXTRA_CA_CERTS.
const cloud = await startEmptyCloud(await localhostCertificate(join(cacheFolder, 'sandbox')))
const functions = await deployedFunctions(cloud.url)
const named = (name: string) => {
  const found = functions.find(one => one.name === name)
  if (!found) throw new Error(`There is no function ${name}`)
  return found
}
afterAll(cloud.close)

describe.skipIf(missingClient)('under the runtime client', () => {
  test.each(functions.map(({ name }) => name))(
    '%s answers as in our thread, and what it built for its first event serves the next',
    async name => {
      const { event, ...definition } = named(name)
      const inThread = await started(bootThread, definition).invoke(event)

      const { invoke } = started(bootUnderClient(), definition)
      const before = cloud.connections()
      expect(await invoke(event)).toEqual(inThread)
      const made = cloud.connections() - before
      for (let more = 0; more < 3; more++) expect(await invoke(event)).toEqual(inThread)
      // New clients would make as many again, each time. Those that are there may make a few more for calls at once.
      expect(made).toBeGreaterThan(0)
      expect(cloud.connections() - before).toBeLessThan(3 * made)
    },
  )

  test('what a handler throws arrives as type, message and stack, and the next event meets the same process', async () => {
    const { event, ...definition } = named('Send')
    const lines: object[] = []
    const underClient = started(bootUnderClient(), definition, line => lines.push(line))
    const failure = await underClient.failureOf({})
    const { errorType, errorMessage } = await started(bootThread, definition).failureOf({})
    expect(failure).toMatchObject({ errorType, errorMessage })
    expect(failure.errorType).toBe('TypeError')
    expect(failure.trace[0]).toBe(`${errorType}: ${errorMessage}`)
    expect(failure.trace[1]).toMatch(/^ +at .*\/index\.mjs:\d+:\d+/)
    // We log it, and the client logs it too: one line, though a stack has many.
    expect(lines).toMatchObject([
      { stream: 'stdout', record: { event: 'invocation_failed', name: errorType } },
      { stream: 'stdout', record: { level: 'ERROR', message: { name: errorType, errorMessage } } },
    ])
    expect(await underClient.invoke(event)).toEqual({ batchItemFailures: [] })
  })

  test('with source maps on, a stack names our own file and the line that threw', async () => {
    const { event: _, ...definition } = named('Send')
    const { trace } = await started(bootUnderClient('--enable-source-maps'), definition).failureOf({})
    const [, line = ''] = /\/send\.ts:(\d+):\d+/.exec(trace.join('\n')) ?? []
    const source = await readFile(new URL('../../functions/send/send.ts', import.meta.url), 'utf8')
    expect(source.split('\n')[Number(line) - 1]).toMatch(/\brecords\b/)
  })

  test('of a batch, the record that failed is named as SQS wants it, and no other', async () => {
    const { event: _, ...definition } = named('NotifyWebhooks')
    const record = (messageId: string, body: string) => ({
      messageId,
      receiptHandle: '1',
      body,
      attributes: {},
    })
    const batch = {
      Records: [record('bad', 'no JSON'), record('good', '{"webhookId":"wh_aaaaaaaaaaaaaaaaaaaaaaaaaa"}')],
    }
    expect(await started(bootUnderClient(), definition).invoke(batch)).toEqual({
      batchItemFailures: [{ itemIdentifier: 'bad' }],
    })
  })

  test('a handler that is not there is told as the client documents it', async () => {
    const { event, ...definition } = named('Api')
    const failure = await started(bootUnderClient(), { ...definition, exportName: 'nobody' }).failureOf(event)
    expect(failure.errorType).toBe('Runtime.HandlerNotFound')
  })

  test('a function that never answers is ended with its time', async () => {
    const { event, ...definition } = named('Api')
    const failure = await started(bootUnderClient(), { ...definition, timeoutMs: 1 }).failureOf(event)
    expect(failure.errorType).toBe('Sandbox.Timedout')
  })
})
