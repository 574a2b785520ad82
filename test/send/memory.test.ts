/** A mail as large as a provider takes passes the deployed functions within their 512 MB. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { mailKeys } from '../../functions/channel/mail-keys.ts'
import type { ProviderEntry } from '../../functions/channel/provider.ts'
import { startSink } from '../bench/sink.ts'
import { bundleOf, openSendingGround } from '../support/bundled-sender.ts'
import { cacheFolder } from '../support/cache.ts'
import { httpRequest } from '../support/http-requests.ts'
import { startRawImap } from '../support/raw-imap.ts'
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

async function start(name: 'Send' | 'Api', provider: Partial<ProviderEntry> = {}) {
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
  const ground = await openSendingGround(engines, { stores, port: sink.port, channelCount: 1, provider })
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
    bench: ground.bench,
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

test('the copy of such a mail is filed in Sent within the same 512 MB', async () => {
  const sent = await startSent()
  const provider = { imap: sent.server, savesSentCopies: false }
  const { bench, channel, uploadId, invoke, stored } = await start('Send', provider)
  const place = { channelId: channel.id, idempotencyKey: 'large' }
  const body = JSON.stringify({ ...document, ...place, attachments: attachments(uploadId) })
  await invoke({ Records: [{ messageId: '1', body }] })
  const [message] = await stored()
  const [row] = await bench.outbox.rows(channel.id, 1)
  if (!message || !row) throw new Error('Nothing is to be filed')
  // The first look, a minute later, is due now.
  const at = new Date(bench.now() - 1_000).toISOString()
  await bench.messages.change(message.id, { sentLook: { tries: 0, at } })
  await bench.outbox.postpone(row, at)
  const cost = await invoke({
    Records: [{ messageId: '2', body: JSON.stringify({ channelId: channel.id }) }],
  })
  expect(sent.filedBytes).toEqual([message.sizeBytes])
  expect(await bench.outbox.rows(channel.id, 1)).toEqual([])
  expect(cost.peakMiB).toBeLessThan(functionMiB - runtimeMiB)
}, 120_000)

/** An IMAP server whose Sent folder is empty, and takes whatever is filed. */
async function startSent() {
  const filedBytes: number[] = []
  let open = { tag: '', leftBytes: 0 }
  const { server } = await startRawImap(
    '* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] ready\r\n',
    line => {
      if (open.leftBytes > 0) {
        open.leftBytes -= line.length + 2
        return open.leftBytes > 0 ? undefined : `${open.tag} OK APPEND completed\r\n`
      }
      const [tag = '', command = ''] = line.split(' ')
      if (tag === '') return undefined
      if (command === 'APPEND') {
        const bytes = Number(/\{(\d+)\}$/.exec(line)?.[1])
        filedBytes.push(bytes)
        open = { tag, leftBytes: bytes }
        return '+ go on\r\n'
      }
      const data: Record<string, string> = {
        CAPABILITY: '* CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR\r\n',
        LIST: '* LIST (\\HasNoChildren \\Sent) "/" Sent\r\n',
        EXAMINE: '* FLAGS ()\r\n* 0 EXISTS\r\n* OK [UIDVALIDITY 1] valid\r\n* OK [UIDNEXT 1] next\r\n',
      }
      return `${data[command] ?? ''}${tag} OK ${command} completed\r\n`
    },
  )
  return { server, filedBytes }
}

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
