/** What fetch holds in memory: a batch of mailboxes in which nothing happens, and a mail as large as a provider takes. */

import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bundleOf, openSendingGround } from '../support/bundled-sender.ts'
import { cacheFolder } from '../support/cache.ts'
import { startEngines } from '../support/running-engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startSender } from '../support/sender-process.ts'

/** What Lambda's own runtime needs, beside ours. */
const runtimeMiB = 64
/** `memoryMegabytes` of fetch (infra/memory.ts). */
const functionMiB = 512
/** As many as `schedule` puts into a batch. */
const batchSize = 50
/** In base64, 25 MB of mail. */
const fileBytes = 18_300_000
const mailBytes = 25_000_000

const mailboxes = useSandbox()

async function start(channelCount: number, limitMiB: number) {
  const engines = await startEngines()
  onTestFinished(() => engines.close())
  const stores = await engines.fresh()
  const { bench, environment } = await openSendingGround(engines, { stores, port: 1, channelCount: 0 })
  const personas = ['ada', 'grace', 'margaret'] as const
  const channels = []
  for (let index = 0; index < channelCount; index++)
    channels.push(await mailboxes.connect(bench, personas[index % personas.length] ?? 'ada'))
  const { file, variables } = await bundleOf('Fetch')
  const fetcher = startSender({
    certFile: join(cacheFolder, 'sandbox', 'cert.pem'),
    environment: {
      ...variables,
      ...environment,
      PROVIDERS: JSON.stringify(mailboxes.sandbox.providers),
    },
    // As Lambda sets it; buffers come on top, and are measured.
    heapMegabytes: limitMiB - runtimeMiB,
  })
  onTestFinished(() => fetcher.end())
  const channelIds = channels.map(({ id }) => id)
  const body = JSON.stringify({ channelIds, isRequested: true })
  return {
    bench,
    channelIds,
    poll: () => fetcher.perform({ by: 'bundle', file, event: { Records: [{ messageId: '1', body }] } }),
  }
}

test('50 mailboxes without news are polled by one invocation within 256 MB', async () => {
  const limitMiB = 256
  const { bench, channelIds, poll } = await start(batchSize, limitMiB)
  await poll()
  const before = new Date().toISOString()
  const { result, peakMiB } = await poll()
  expect(result).toEqual({ batchItemFailures: [] })
  const channels = await bench.channels.findMany(channelIds)
  expect(channels.filter(({ lastFetchedAt }) => (lastFetchedAt ?? '') >= before)).toHaveLength(batchSize)
  console.log(`50 mailboxes without news: ${Math.round(peakMiB)} MiB at most`)
  expect(peakMiB).toBeLessThan(limitMiB - runtimeMiB)
}, 240_000)

test('a mail of 25 MB is read, taken apart, stored and told within 512 MB', async () => {
  const { bench, channelIds, poll } = await start(1, functionMiB)
  await poll()
  const content = Buffer.alloc(fileBytes, 'not all the same, ')
  const file = content.toString('base64').replace(/.{76}/g, '$&\r\n')
  const head = 'From: customer@outside.example\r\nSubject: Large\r\nMIME-Version: 1.0\r\n'
  const type =
    'Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n'
  const raw = Buffer.from(`${head}${type}Content-Transfer-Encoding: base64\r\n\r\n${file}\r\n`)
  expect(raw.byteLength).toBeGreaterThan(mailBytes)
  await mailboxes.deliver('ada', raw)
  const { peakMiB } = await poll()
  const query = { channelId: channelIds[0] ?? '', direction: 'inbound', after: undefined, limit: 2 } as const
  const [message] = (await bench.messages.list(query)).items
  expect(message?.sizeBytes).toBe(raw.byteLength)
  const stored = await bench.mail.read(message?.rawKey ?? '')
  expect(raw.equals(stored ?? Buffer.alloc(0))).toBe(true)
  const [attachment] = (await bench.messages.readContent(message?.contentKey ?? '')).attachments
  expect(attachment).toMatchObject({ filename: 'a.pdf', sizeBytes: fileBytes })
  console.log(`A mail of 25 MB: ${Math.round(peakMiB)} MiB at most`)
  expect(peakMiB).toBeLessThan(functionMiB - runtimeMiB)
}, 120_000)
