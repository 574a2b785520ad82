/** What quotas are held against beyond what costs money: webhooks, and what an execution environment asks for at its start. */

import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { expect, test } from 'vitest'
import { bySecret } from '../../functions/channel/client-credential.ts'
import { openOAuthApps } from '../../functions/channel/oauth-apps.ts'
import { countedBesides } from '../../infra/scale/units.ts'
import { useEngines } from '../support/engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'
import { providersWith } from '../support/test-providers.ts'
import { openMeter } from '../support/usage-meter.ts'
import { webhookBench } from '../support/webhook-bench.ts'
import { useReceivers } from '../support/webhook-receiver.ts'
import { openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const receivers = useReceivers()

test('an event that one webhook is told, and what the first one asks of KMS', async () => {
  const bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  const hooks = webhookBench(bench)
  const receiver = await receivers.open()
  await hooks.add(receiver.url, { accountId: null })
  // The API made the secret to show it; a quarter of an hour later nothing of it is left.
  bench.clock.advance(16 * 60_000)
  const usageOf = await openMeter(bench)
  const tell = async (subject: string) => {
    const eventId = await hooks.happen(subject)
    const used = await usageOf(() => hooks.settle())
    expect(receiver.ids().at(-1)).toBe(eventId)
    return used
  }
  expect((await tell('first')).kmsCalls).toBe(countedBesides.webhookAtStart.kmsCalls)
  const { reads, writes, kmsCalls } = await tell('second')
  expect({ reads, writes }).toEqual(countedBesides.toldWebhook)
  expect(kmsCalls).toBe(0)
})

test('a mailbox that moves to another slot', async () => {
  const bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  const usageOf = await openMeter(bench)
  const put = (intervalMinutes: number) =>
    bench.slots.put({ channelId: 'ch_1', provider: 'microsoft', intervalMinutes })
  await put(5)
  const { writes } = await usageOf(() => put(15))
  expect({ writes }).toEqual(countedBesides.movedSlot)
})

test('a refresh after a night: the key of the day before, and the new day’s', async () => {
  const sending = await startSendingChannel(engines)
  const usageOf = await openMeter(sending.bench)
  sending.bench.clock.advance(26 * 3600_000)
  await sending.accept('first')
  const { kmsCalls } = await usageOf(() => sending.drain())
  expect(sending.endpoint.requests).toHaveLength(1)
  expect(kmsCalls).toBe(countedBesides.refreshAtStart.kmsCalls)
})

test('the secret of the OAuth apps is read once, whoever asks in the minutes after', async () => {
  const client = new SecretsManagerClient({ region: 'us-east-1' })
  let reads = 0
  client.middlewareStack.add(
    (_, { commandName }) =>
      async () => {
        if (commandName === GetSecretValueCommand.name) reads += 1
        const SecretString = JSON.stringify({ microsoft: { clientId: 'id', clientSecret: 'secret' } })
        return { output: { SecretString, $metadata: {} }, response: {} }
      },
    { step: 'initialize' },
  )
  const credentials = { of: () => bySecret('secret') } as Parameters<typeof openOAuthApps>[0]['credentials']
  const apps = openOAuthApps({ client, secretArn: 'arn', credentials, now: () => 0 })
  await Promise.all([apps.get('microsoft'), apps.get('microsoft')])
  await apps.get('microsoft')
  expect(reads).toBe(countedBesides.refreshAtStart.secretReads)
})
