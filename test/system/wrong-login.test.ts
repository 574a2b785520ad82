import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { DynamoDBDocumentClient, UpdateCommand } from '@aws-sdk/lib-dynamodb'
import { expect, test } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const alias = 'Grace.Hopper@tenant-b.example'
const upn = 'grace@tenant-a.example'

/** Stores what the bug of the founding story stored: the id_token's email claim as login, for both protocols. */
async function storeWrongLogin(channelId: string): Promise<void> {
  const client = new DynamoDBClient({
    endpoint: running.system.cloud.endpoints.dynamodb,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  })
  const { TableNames = [] } = await client.send(new ListTablesCommand({}))
  await DynamoDBDocumentClient.from(client).send(
    new UpdateCommand({
      TableName: TableNames.find(name => name.includes('Main')),
      Key: { pk: `CHANNEL#${channelId}`, sk: 'CHANNEL' },
      UpdateExpression: 'SET #login = :login',
      ConditionExpression: 'attribute_exists(pk)',
      ExpressionAttributeNames: { '#login': 'login' },
      ExpressionAttributeValues: { ':login': { imap: alias, smtp: alias } },
    }),
  )
}

async function cli(...words: string[]): Promise<{ code: number; lines: string[] }> {
  const script = fileURLToPath(new URL('../../infra/cli/postroom.ts', import.meta.url))
  const execution = promisify(execFile)(
    process.execPath,
    ['--experimental-strip-types', '--disable-warning=ExperimentalWarning', script, ...words],
    { env: { ...process.env, POSTROOM_URL: running.system.url, POSTROOM_API_KEY: running.system.apiKey } },
  )
  const { code, stdout } = await execution.then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  )
  return { code, lines: stdout.trim().split('\n') }
}

async function loginOf(channelId: string): Promise<Json> {
  return (await running.app.call('GET', `/v1/channels/${channelId}`)).body.login
}

test('a probe shows that SMTP refuses the alias that IMAP takes, with the same token (S5, S10)', async () => {
  const channel = await running.connect('grace')
  const { status, body } = await running.app.call('POST', `/v1/channels/${channel.id}/probe`)
  expect(status).toBe(200)
  const accepted = (attempts: Json[]) => Object.fromEntries(attempts.map(a => [a.login, a.accepted]))
  expect(accepted(body.imap)).toEqual({ [upn]: true, [alias]: true })
  expect(accepted(body.smtp)).toEqual({ [upn]: true, [alias]: false })
  expect(body.smtp.find((a: Json) => a.login === alias).answer).toMatch(
    /^535 5\.7\.3 Authentication unsuccessful/,
  )
})

test('reconcile-logins says what it would store, changes nothing until told, then heals (S8)', async () => {
  const channel = await running.connect('grace')
  await storeWrongLogin(channel.id)
  const dry = await cli('reconcile-logins', '--json')
  expect(dry.lines.map(line => JSON.parse(line))).toEqual([
    { channelId: channel.id, email: alias, before: alias, after: upn, outcome: 'would heal', reason: '' },
  ])
  expect((await loginOf(channel.id)).smtp).toBe(alias)
  const applied = await cli('reconcile-logins', '--apply', '--json')
  expect(JSON.parse(applied.lines[0] ?? '')).toMatchObject({ before: alias, after: upn, outcome: 'healed' })
  expect((await loginOf(channel.id)).smtp).toBe(upn)
  expect(await cli('reconcile-logins')).toMatchObject({ code: 0 })
})

test('a channel stored with the alias heals by itself at the first 535, and the reply leaves (S8)', async () => {
  const channel = await running.connect('grace')
  await storeWrongLogin(channel.id)
  const to = [{ address: 'customer@outside.example' }]
  const reply = await running.app.send(channel.id, { to, subject: 'Healed', text: 'on the way' }, 'heal-1')
  await running.app.event(
    'acme',
    event => event.type === 'message.sent' && event.data.message.id === reply.body.id,
  )
  const healed = await running.app.event('acme', event => event.type === 'channel.login_healed')
  expect(healed.data.channel.login.smtp).toBe(upn)
  expect(healed.data.channel.auth.state).toBe('connected')
})

test('the command line says in one sentence what is wrong, with its own exit code for wrong words', async () => {
  expect(await cli('nothing')).toMatchObject({ code: 2 })
  expect(await cli('probe', 'ch_nobody')).toMatchObject({ code: 3 })
})
