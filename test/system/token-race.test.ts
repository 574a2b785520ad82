/** Several functions, each in processes of its own, want one mailbox's token at the moment it has ended: one refreshes. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { IncomingMessage } from 'node:http'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { expect, onTestFinished, test } from 'vitest'
import { openTable } from '../../functions/channel/table.ts'
import type { Json } from '../../infra/local/as-app.ts'
import { endToken, placesOf, storedChannel } from '../support/behind-the-api.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const customer = { address: 'customer@outside.example' }
const accountId = 'acme'

/** Counts what is asked of token endpoints: the sandbox serves them in this very process. */
function countTokenCalls(): { count: number } {
  const calls = { count: 0 }
  const look = (message: unknown) => {
    const { request } = message as { request: IncomingMessage }
    if (request.url?.endsWith('/oauth2/v2.0/token')) calls.count += 1
  }
  subscribe('http.server.request.start', look)
  onTestFinished(() => void unsubscribe('http.server.request.start', look))
  return calls
}

async function connected(persona: string) {
  const channel = await running.connect(persona, { accountId })
  const places = placesOf(running)
  const { grantId } = await storedChannel(places, channel.id)
  const key = { pk: `GRANT#${grantId}`, sk: 'GRANT' }
  const secrets = openTable(
    new DynamoDBClient({
      region: 'us-east-1',
      credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
      endpoint: places.endpoints.dynamodb,
    }),
    places.secretsTable,
  )
  return {
    channel,
    endToken: () => endToken(places, channel.id),
    refreshes: async () => Number((await secrets.get(key))?.version),
  }
}

/** Two processes of each function at once. */
async function race(channel: Json, round: number): Promise<void> {
  const { app, system } = running
  const record = (body: object) => ({ Records: [{ messageId: `${round}`, body: JSON.stringify(body) }] })
  const poll = record({ channelIds: [channel.id], isRequested: true })
  await Promise.all([
    system.cloud.invoke('Fetch', poll),
    system.cloud.invoke('Fetch', poll),
    ...[1, 2, 3].map(number => {
      const mail = { to: [customer], subject: `Round ${round}, mail ${number}`, text: 'x' }
      return app.send(channel.id, mail, `race-${round}-${number}`)
    }),
    system.cloud.invoke('Send', record({ channelId: channel.id })),
  ])
  for (const number of [1, 2, 3]) {
    const subject = `Round ${round}, mail ${number}`
    await app.event(accountId, e => e.type === 'message.sent' && e.data.message.subject === subject)
  }
}

test('processes that send and fetch at once make one token call for each token that ends', async () => {
  const { channel, endToken, refreshes } = await connected('ada')
  const before = await refreshes()
  const calls = countTokenCalls()
  for (let round = 1; round <= 3; round++) {
    await endToken()
    await race(channel, round)
    expect(calls.count).toBe(round)
  }
  expect(await refreshes()).toBe(before + 3)
  const { body } = await running.app.call('GET', `/v1/channels/${channel.id}`)
  expect(body).toMatchObject({ auth: { state: 'connected' }, connection: { state: 'ok' } })
}, 120_000)

test('probes, which want a fresh token each, race with them: every answer is saved, and nobody fails', async () => {
  const { channel, endToken, refreshes } = await connected('grace')
  const before = await refreshes()
  const calls = countTokenCalls()
  await endToken()
  const probes = [1, 2].map(() => running.app.call('POST', `/v1/channels/${channel.id}/probe`))
  const [, ...answers] = await Promise.all([race(channel, 4), ...probes])
  expect(answers.map(({ status }) => status)).toEqual([200, 200])
  // One for each probe, and at most one more for all the others.
  expect(calls.count).toBeLessThanOrEqual(3)
  expect(await refreshes()).toBe(before + calls.count)
  const { body } = await running.app.call('GET', `/v1/channels/${channel.id}`)
  expect(body.auth.state).toBe('connected')
}, 120_000)
