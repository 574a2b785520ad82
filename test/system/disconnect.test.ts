import { DynamoDBClient, ListTablesCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { expect, test } from 'vitest'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const google = { provider: 'google', script: '' }

/** Every grant in the Secrets table. */
async function storedGrants(): Promise<string[]> {
  const client = new DynamoDBClient({
    endpoint: running.system.cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const { TableNames = [] } = await client.send(new ListTablesCommand({}))
  const { Items = [] } = await client.send(
    new ScanCommand({ TableName: TableNames.find(name => name.includes('Secrets')) }),
  )
  return Items.map(item => item.pk?.S ?? '').filter(pk => pk.startsWith('GRANT#'))
}

async function disconnect(id: string) {
  return running.app.call('DELETE', `/v1/channels/${id}`)
}

test('disconnecting revokes at Google, forgets the tokens and tells', async () => {
  const channel = await running.connect('linus', { ...google, accountId: 'ending' })
  const { status, body } = await disconnect(channel.id)
  expect(status).toBe(200)
  expect(body).toMatchObject({ revokedAtProvider: true, disconnectedAt: expect.any(String) })
  await running.app.event('ending', event => event.type === 'channel.disconnected')
  expect(await storedGrants()).toEqual([])
})

test('a Google person whom another channel stands on is not revoked: that channel still sends', async () => {
  const one = await running.connect('linus', { ...google, accountId: 'one' })
  const other = await running.connect('linus', { ...google, accountId: 'other' })
  await disconnect(one.id)
  const to = [{ address: 'c@outside.example' }]
  const { body } = await running.app.send(other.id, { to, subject: 'still here', text: 'x' }, 'k')
  const event = await running.app.event('other', e => e.data.message?.id === body.id)
  expect(event.type).toBe('message.sent')
  // A fresh token is the proof: revocation would have ended the refresh token.
  expect((await running.app.call('POST', `/v1/channels/${other.id}/probe`)).status).toBe(200)
})

test('Microsoft has no revocation, and the answer says so', async () => {
  const channel = await running.connect('ada', { accountId: 'microsoft', script: '' })
  expect((await disconnect(channel.id)).body.revokedAtProvider).toBe(false)
})

test('what is queued when the channel ends is cancelled and told', async () => {
  const { app } = running
  const channel = await running.connect('ada', { accountId: 'queued', script: '' })
  const to = [{ address: 'c@outside.example' }]
  const sendAt = new Date(Date.now() + 2_000).toISOString()
  const { body } = await app.send(channel.id, { to, subject: 'too late', text: 'x', sendAt }, 'k')
  await disconnect(channel.id)
  const cancelled = await app.event('queued', e => e.data.message?.id === body.id)
  expect(cancelled).toMatchObject({
    type: 'message.failed',
    data: { message: { state: 'cancelled', fault: { code: 'channel_disconnected' } } },
  })
  const refused = await app.send(channel.id, { to, subject: 'afterwards', text: 'x' }, 'k2')
  expect(refused).toMatchObject({ status: 409, body: { code: 'channel_disconnected' } })
})

test('disconnecting twice is the same as once, and connecting again brings the same channel back', async () => {
  const channel = await running.connect('margaret', { accountId: 'twice', script: '' })
  await disconnect(channel.id)
  expect((await disconnect(channel.id)).status).toBe(200)
  const again = await running.connect('margaret', { accountId: 'twice', script: '' })
  expect(again).toMatchObject({ id: channel.id, disconnectedAt: null, auth: { state: 'connected' } })
})

test('a reconnect forgets the grant it replaces', async () => {
  const before = await storedGrants()
  const channel = await running.connect('grace', { accountId: 'again', script: '' })
  await running.connect('grace', { accountId: 'again', session: { channelId: channel.id }, script: '' })
  await expect.poll(async () => (await storedGrants()).length, { timeout: 10_000 }).toBe(before.length + 1)
})
