/**
 * I9: no token, code, verifier or secret is ever logged, returned or stored in clear. A mail's body stands in the mail
 * and in the event that hands it to the app, and nowhere else.
 */

import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb'
import { KMSClient } from '@aws-sdk/client-kms'
import { GetObjectCommand, ListBucketsCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { DynamoDBDocumentClient, paginateScan } from '@aws-sdk/lib-dynamodb'
import { expect, test } from 'vitest'
import { openSeal } from '../../functions/channel/seal.ts'
import { openTable } from '../../functions/channel/table.ts'
import type { ApiAnswer, Json } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { issuedSecrets, leaks } from '../support/leaks.ts'
import { type RunningSystem, useRunningSystem } from '../support/running-system.ts'
import { makeEveryCall } from './every-call.ts'

const running = useRunningSystem()
const customer = { address: 'customer@outside.example' }
const sentBody = 'sent-body-that-only-the-mail-may-hold'
const receivedBody = 'received-body-that-only-the-mail-may-hold'

const aws = (endpoint: string) => ({
  endpoint,
  region: 'us-east-1',
  credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
})

/** Whatever a scan meets, as text; bytes as base64. */
function asText(value: unknown): string {
  return JSON.stringify(value, (_key, part) =>
    part?.type === 'Buffer' || part instanceof Uint8Array
      ? Buffer.from(part.data ?? part).toString('base64')
      : part,
  )
}

async function itemsOf(table: string): Promise<Record<string, Json>[]> {
  const db = DynamoDBDocumentClient.from(new DynamoDBClient(aws(running.system.cloud.endpoints.dynamodb)))
  const items: Record<string, Json>[] = []
  for await (const page of paginateScan({ client: db }, { TableName: table }))
    items.push(...(page.Items ?? []))
  return items
}

async function tableNamed(part: string): Promise<string> {
  const client = new DynamoDBClient(aws(running.system.cloud.endpoints.dynamodb))
  const { TableNames = [] } = await client.send(new ListTablesCommand({}))
  return TableNames.find(name => name.includes(part)) ?? ''
}

async function objects(): Promise<Map<string, string>> {
  const s3 = new S3Client({ ...aws(running.system.cloud.endpoints.aws), forcePathStyle: true })
  const found = new Map<string, string>()
  const { Buckets = [] } = await s3.send(new ListBucketsCommand({}))
  for (const { Name: Bucket } of Buckets) {
    const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket }))
    for (const { Key } of Contents) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key }))
      found.set(`object ${Key}`, (await Body?.transformToString()) ?? '')
    }
  }
  return found
}

/** What the Secrets table holds, opened with its key: the tokens in use, and the verifier of a sign-in under way. */
async function sealed(
  secrets: Map<string, string>,
  sessions: { id: string; accountId: string }[],
): Promise<void> {
  const { endpoints } = running.system.cloud
  const name = await tableNamed('Secrets')
  const main = await itemsOf(await tableNamed('Main'))
  const table = openTable(new DynamoDBClient(aws(endpoints.dynamodb)), name)
  const kms = new KMSClient(aws(endpoints.kms))
  // The local KMS tells by the ciphertext which key it is.
  const seal = openSeal({ kms: withoutKeyId(kms), keyArn: '', secrets: table, now: Date.now })
  for (const item of await itemsOf(name)) {
    if (item.sk === 'GRANT') {
      const channel = main.find(({ grantId }) => `GRANT#${grantId}` === item.pk)
      if (!channel) continue
      for (const field of ['accessToken', 'refreshToken']) {
        const context = { accountId: channel.accountId, ownerId: channel.id, field }
        secrets.set(`${field} of ${channel.id}`, await seal.open(item[field], context))
      }
    }
    const session = sessions.find(({ id }) => item.pk === `SESSION#${id}`)
    if (session && String(item.sk).startsWith('VERIFIER#')) {
      const context = { accountId: session.accountId, ownerId: session.id, field: 'verifier' }
      const { nonce, codeVerifier } = JSON.parse(await seal.open(item.sealed, context))
      secrets.set('verifier', codeVerifier).set('nonce', nonce)
    }
  }
}

/** A client that leaves the key's name out of what it asks. */
function withoutKeyId(kms: KMSClient): KMSClient {
  kms.middlewareStack.add(next => args => next({ ...args, input: { ...args.input, KeyId: undefined } }), {
    step: 'initialize',
  })
  return kms
}

/** The same system, called through another app. */
function withApp(system: RunningSystem, app: RunningSystem['app']): RunningSystem {
  return Object.create(system, { app: { value: app } })
}

/** What some answers hold on purpose, shown once: they are for whoever asked. */
function shownOnce(answers: Map<string, string>): Map<string, string> {
  const texts = [...answers.values()]
  const all = (name: string, pattern: RegExp): [string, string][] =>
    [...new Set(texts.flatMap(text => [...text.matchAll(pattern)].map(([, found = '']) => found)))].map(
      (found, index) => [`${name} ${index}`, found],
    )
  return new Map([
    ...all('webhook secret', /"secret":"whsec_([^"]+)"/g),
    ...all('signature of an upload', /X-Amz-Signature=([0-9a-f]{64})/g),
    ...all('link to reconnect', /"reconnectUrl":"[^"]*\.([^".]+)"/g),
  ])
}

test('I9: a whole run leaves no token, code, verifier or secret in logs, events, answers, tables or mail, and no body astray', async () => {
  const { app } = running
  const answers = new Map<string, string>()
  /** What the API said, kept for the search. */
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<ApiAnswer> => {
    const answer = await app.call(method, path, body, headers)
    answers.set(`answer ${answers.size} to ${method} ${path}`, asText(answer.body))
    return answer
  }
  const newSession = async (provider: string, extra: object = {}) =>
    (await call('POST', '/v1/connect-sessions', { accountId: 'acme', provider, ...extra })).body
  const connect = async (provider: string, persona: string, script = '') => {
    const session = await newSession(provider)
    const landing = await newPerson().connect(session.connectUrl, persona, { script })
    answers.set(`page ${answers.size}`, landing.text)
    return call('POST', `/v1/connect-sessions/${session.id}/confirm`)
  }

  // Connect at both providers, also in ways that fail; and stop in the middle once.
  const channel = (await connect('microsoft', 'ada')).body.channel
  const google = (await connect('google', 'linus')).body.channel
  for (const script of [
    'client_secret_expired',
    'admin_approval_needed',
    'no_refresh_token',
    'id_token_alg_none',
  ]) {
    await connect('microsoft', 'grace', script)
  }
  const halfway = await newSession('microsoft')
  const person = newPerson()
  await person.visit(halfway.connectUrl)
  const begun = await person.visit(halfway.connectUrl, {})

  // Send, receive, refresh, fail, reconnect, disconnect.
  const document = { to: [customer], subject: 'out', text: sentBody }
  const sent = await call('POST', `/v1/channels/${channel.id}/messages`, document, {
    'idempotency-key': 'one',
  })
  await app.event('acme', event => event.data.message?.id === sent.body.id)
  await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'in', text: receivedBody })
  await call('POST', `/v1/channels/${channel.id}/poll`)
  const received = await app.event('acme', event => event.type === 'message.received')
  await call('POST', `/v1/channels/${channel.id}/probe`)
  await call('POST', `/v1/channels/${google.id}/probe`)
  const refused = { ...document, text: 7 }
  await call('POST', `/v1/channels/${channel.id}/messages`, refused, { 'idempotency-key': 'two' })
  await connect('microsoft', 'ada')
  await call('DELETE', `/v1/channels/${google.id}`)
  for (const path of [
    '/v1/channels',
    '/v1/events?accountId=acme&limit=100',
    `/v1/channels/${channel.id}/messages`,
  ]) {
    await call('GET', path)
  }
  // A persona goes on as the last sign-in chose.
  await running.sandbox('/personas/grace/script', { script: null })
  // And all else there is: an import, uploads, webhooks, a mail to an owner, tables that are put in order.
  await makeEveryCall(
    withApp(running, {
      ...app,
      call,
      send: (id, document, key) =>
        call('POST', `/v1/channels/${id}/messages`, document, { 'idempotency-key': key }),
    }),
  )
  await call('GET', '/v1/events?accountId=every-call&limit=100')

  const secrets = issuedSecrets(running)
  await sealed(secrets, [{ id: halfway.id, accountId: 'acme' }])
  const kinds = new Set([...secrets.keys()].map(name => name.split(' ')[0]))
  expect([...kinds]).toEqual(
    expect.arrayContaining([
      'AuthorizationCode',
      'RefreshToken',
      'accessToken',
      'refreshToken',
      'verifier',
      'nonce',
    ]),
  )

  const tables = new Map<string, string>()
  for (const part of ['Main', 'Secrets']) {
    for (const item of await itemsOf(await tableNamed(part)))
      tables.set(`${part} ${item.pk} ${item.sk}`, asText(item))
  }
  const logs = new Map([['the logs', running.log.map(asText).join('\n')]])
  const mails = await objects()
  expect(running.log.length).toBeGreaterThan(0)
  expect(tables.size).toBeGreaterThan(20)
  expect(leaks(secrets, new Map([...logs, ...tables, ...answers, ...mails]))).toEqual([])

  // A link and a state are for one browser: they may stand in that answer, and nowhere else.
  const once = new Map([
    ['ticket', String(halfway.connectUrl).split('/').at(-1) ?? ''],
    ['state', new URL(begun.location ?? '').searchParams.get('state') ?? ''],
  ])
  expect([...once.values()].every(value => value.length > 40)).toBe(true)
  expect(leaks(once, new Map([...logs, ...tables]))).toEqual([])

  const shown = shownOnce(answers)
  const shownKinds = new Set([...shown.keys()].map(name => name.replace(/ \d+$/, '')))
  expect([...shownKinds]).toEqual(['webhook secret', 'signature of an upload', 'link to reconnect'])
  expect(leaks(shown, logs)).toEqual([])
  // A link is told in an event and written to the owner; the others stand in no table and in no mail.
  const unlinked = new Map([...shown].filter(([name]) => !name.startsWith('link')))
  expect(leaks(unlinked, new Map([...tables, ...mails]))).toEqual([])

  // The search finds what is there: bodies, in the mail itself and in the event that tells the app of it.
  const bodies = new Map([
    ['what was sent', sentBody],
    ['what was received', receivedBody],
  ])
  expect(leaks(bodies, mails).length).toBeGreaterThanOrEqual(2)
  expect(received.data.message.text).toContain(receivedBody)
  const inEvents = [...tables].filter(([place]) => place.startsWith('Main EVENT#'))
  expect(leaks(bodies, new Map(inEvents))).toHaveLength(2)
  const elsewhere = [...tables].filter(([place]) => !place.startsWith('Main EVENT#'))
  expect(leaks(bodies, new Map([...logs, ...elsewhere]))).toEqual([])
}, 120_000)
