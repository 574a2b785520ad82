/** A mail as large as a provider takes passes the deployed functions within their 512 MB. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mailKeys } from '../../functions/channel/mail-keys.ts'
import { startSink } from '../bench/sink.ts'
import { bundleOf, openSendingGround } from '../support/bundled-sender.ts'
import { cacheFolder } from '../support/cache.ts'
import { httpRequest } from '../support/http-requests.ts'
import { startEngines } from '../support/running-engines.ts'
import { startSender } from '../support/sender-process.ts'

/** `memoryMegabytes` of send and api (infra/postroom.ts). */
const functionMiB = 512
/** What Lambda's own runtime needs of it, beside ours. */
const runtimeMiB = 64
/** Little more fits into the 25 MiB that Microsoft and Gmail take, once encoded. */
const fileBytes = 18_700_000
const mailBytes = 25_000_000

const attachments = (uploadId: string) => [{ filename: 'a.pdf', contentType: 'application/pdf', uploadId }]
const document = { to: [{ address: 'customer@outside.example' }], text: 'Here it is' }

async function start(name: 'Send' | 'Api') {
  const folder = join(cacheFolder, 'sandbox')
  const [key, cert] = await Promise.all(
    ['key.pem', 'cert.pem'].map(file => readFile(join(folder, file), 'utf8')),
  )
  const sink = await startSink({ key: key ?? '', cert: cert ?? '' })
  const engines = await startEngines()
  onTestFinished(async () => {
    await Promise.all([sink.close(), engines.close()])
  })
  const stores = await engines.fresh()
  const ground = await openSendingGround(engines, { stores, port: sink.port, channelCount: 1 })
  const [channel] = ground.channels
  if (!channel) throw new Error('There is no channel')
  const uploadId = `up_${'a'.repeat(26)}`
  const bytes = Buffer.alloc(fileBytes, 'not all the same, ')
  await ground.bench.mail.put(mailKeys.upload(channel.accountId, uploadId), bytes, 'application/pdf')
  // As Lambda sets it; buffers come on top, and are measured.
  const heapMegabytes = functionMiB - runtimeMiB
  const { file, variables } = await bundleOf(name)
  const environment = { ...variables, ...ground.environment }
  const sender = startSender({ certFile: join(folder, 'cert.pem'), environment, heapMegabytes })
  onTestFinished(() => sender.end())
  return {
    channel,
    uploadId,
    sink,
    invoke: (event: object) => sender.perform({ by: 'bundle', file, event }),
    async stored() {
      const { messages } = ground.bench
      const query = { channelId: channel.id, direction: 'outbound', after: undefined, limit: 2 } as const
      return (await messages.list(query)).items
    },
  }
}

test('send takes in a document with an upload of 18.7 MB, makes 25 MB of mail of it and sends that, within 512 MB', async () => {
  const { channel, uploadId, sink, invoke, stored } = await start('Send')
  const place = { channelId: channel.id, idempotencyKey: 'large' }
  const body = JSON.stringify({ ...document, ...place, attachments: attachments(uploadId) })
  const cost = await invoke({ Records: [{ messageId: '1', body }] })
  expect(cost.result).toEqual({ batchItemFailures: [] })
  expect((await sink.counts()).mails).toBe(1)
  const [message] = await stored()
  expect(message?.state).toBe('sent')
  expect(message?.sizeBytes).toBeGreaterThan(mailBytes)
  expect(cost.peakMiB).toBeLessThan(functionMiB - runtimeMiB)
}, 120_000)

test('api accepts the same by HTTP, within 512 MB', async () => {
  const { channel, uploadId, invoke, stored } = await start('Api')
  const headers = { 'idempotency-key': 'large' }
  const body = { ...document, attachments: attachments(uploadId) }
  const cost = await invoke(httpRequest(`POST /v1/channels/${channel.id}/messages`, { headers, body }))
  expect(cost.result).toMatchObject({ statusCode: 202 })
  const [message] = await stored()
  expect(message?.sizeBytes).toBeGreaterThan(mailBytes)
  expect(cost.peakMiB).toBeLessThan(functionMiB - runtimeMiB)
}, 120_000)
