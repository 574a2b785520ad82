/** A whole drain takes no more turns at its server than nodemailer alone needs for mails that are ready: latency is paid for each. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { drain } from '../../functions/send/drain.ts'
import { startSink } from '../bench/sink.ts'
import type { SinkCounts } from '../bench/smtp-sink.ts'
import { cacheFolder } from '../support/cache.ts'
import { useEngines } from '../support/engines.ts'
import { startSender } from '../support/sender-process.ts'
import { invocationMs } from '../support/sending-channel.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const mails = 10

test('a drain of ten replies takes no more round trips than nodemailer alone on a connection that it keeps', async () => {
  const folder = join(cacheFolder, 'sandbox')
  const [key = '', cert = ''] = await Promise.all(
    ['key.pem', 'cert.pem'].map(file => readFile(join(folder, file), 'utf8')),
  )
  const sink = await startSink({ key, cert })
  onTestFinished(() => void sink.close())
  const { port } = sink

  const sender = startSender({ certFile: join(folder, 'cert.pem') })
  onTestFinished(() => sender.end())
  await sender.perform({ by: 'nodemailer', port, mails, bytes: 2_000, connections: 1 })
  const nodemailer: SinkCounts = await sink.counts()

  const smtp = { host: 'localhost', port, security: 'tls' } as const
  const bench = openWorkbench(await engines.fresh(), { providers: providersWith({ smtp }) })
  const channel = await addChannel(bench)
  for (let number = 0; number < mails; number++) {
    const document = {
      to: [{ address: 'customer@outside.example' }],
      subject: `${number}`,
      text: 'x'.repeat(2_000),
    }
    await accept({ channel, idempotencyKey: `key-${number}`, document }, bench)
  }
  await drain(channel.id, { services: bench, deadlineMs: bench.now() + invocationMs })
  const ours: SinkCounts = await sink.counts()

  expect(nodemailer).toMatchObject({ mails, connections: 1 })
  expect(ours).toMatchObject({ mails, connections: 1 })
  expect(ours.roundTrips).toBeLessThanOrEqual(nodemailer.roundTrips)
})
