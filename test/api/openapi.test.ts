/** The OpenAPI document: a public linter has nothing against it, and every call answers as it says. */

import { createConfig, lintFromString } from '@redocly/openapi-core'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { type ApiCaller, addReceived, apiCaller } from '../support/api-caller.ts'
import {
  callDocumented,
  type Json,
  operationsOf,
  readDocument,
  requestsFor,
} from '../support/documented-api.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf, problemOf, type RequestParts } from '../support/http-requests.ts'
import { nowhere, providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel
let app: ApiCaller
let document: Json

const tokenEndpoint = 'http://127.0.0.1:1/token'

beforeEach(async () => {
  const providers = providersWith({ imap: nowhere, smtp: nowhere, tokenEndpoint })
  bench = openWorkbench(await engines.fresh(), { providers })
  channel = await addChannel(bench)
  app = apiCaller(bench)
  document = await readDocument(bench)
})

test('a public linter finds no error in it', async () => {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: JSON.stringify(document), config })
  const errors = problems.filter(({ severity }) => severity === 'error')
  expect(
    errors.map(({ ruleId, message, location }) => ({ ruleId, message, at: location[0]?.pointer })),
  ).toEqual([])
})

test('every call has a name of its own, and says what can go wrong', () => {
  const operations = operationsOf(document)
  const names = operations.map(({ operation }) => operation.operationId)
  expect(new Set(names).size).toBe(names.length)
  for (const { operation } of operations) {
    expect(operation.summary).toMatch(/\.$/)
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['401', '403', '429', '500']))
  }
})

test('a client sees in it what a field holds, and which must be there', () => {
  const message = document.components.schemas.NewMessage
  expect(message.properties.to.items.required).toEqual(['address'])
  expect(message.properties.onUncertain).toMatchObject({ enum: ['report', 'resend'], default: 'report' })
  const parameters: Json[] = document.paths['/v1/channels'].get.parameters
  const limit = parameters.find(({ name }) => name === 'limit')
  expect(limit).toMatchObject({
    in: 'query',
    required: false,
    schema: { minimum: 1, maximum: 100, default: 20 },
  })
})

/** A body is as documented if nothing in it is undocumented, and everything that must be there is. */
function undocumented(value: Json, schema: Json, at = 'body'): string[] {
  if (schema.$ref) return undocumented(value, document.components.schemas[schema.$ref.split('/').at(-1)], at)
  const choices: Json[] | undefined = schema.anyOf ?? schema.oneOf
  if (choices) {
    const found = choices.map(choice => undocumented(value, choice, at))
    return found.find(list => list.length === 0) ?? found[0] ?? []
  }
  const types = [schema.type].flat()
  if (value === null) return types.includes('null') || schema.type === undefined ? [] : [`${at} is null`]
  if (Array.isArray(value))
    return value.flatMap((item, i) => undocumented(item, schema.items ?? {}, `${at}.${i}`))
  if (typeof value !== 'object') {
    const isNumber = typeof value === 'number' && (types.includes('integer') || types.includes('number'))
    const isKnown = schema.type === undefined || isNumber || types.includes(typeof value)
    if (!isKnown) return [`${at} is a ${typeof value}`]
    if (schema.const !== undefined && schema.const !== value) return [`${at} is ${value}`]
    return schema.enum && !schema.enum.includes(value) ? [`${at} is ${value}`] : []
  }
  const missing = (schema.required ?? []).filter((name: string) => !(name in value))
  if (!schema.properties) return []
  return [
    ...missing.map((name: string) => `${at}.${name} is missing`),
    ...Object.entries(value).flatMap(([name, item]) => {
      const property = schema.properties[name]
      return property ? undocumented(item, property, `${at}.${name}`) : [`${at}.${name} is not documented`]
    }),
  ]
}

test('every call that succeeds answers what is documented', async () => {
  const sent = jsonOf(
    await app.send(channel, { attachments: [{ filename: 'a', contentType: 'text/plain', content: 'aGk=' }] }),
  )
  const failed = jsonOf(await app.send(channel))
  await bench.messages.change(failed.id, { state: 'failed' })
  const received = await addReceived(bench, channel, 'in')
  await bench.events.announce({
    type: 'message.received',
    accountId: 'acme',
    channelId: channel.id,
    occurredAt: new Date(bench.now()).toISOString(),
    subject: received.id,
    data: { message: { id: received.id } },
  })
  bench.clock.advance(5_000)
  const session = jsonOf(
    await app.call('POST /v1/connect-sessions', { body: { accountId: 'acme', provider: 'microsoft' } }),
  )
  const awaiting = await bench.sessions.move(
    session.id,
    { states: ['open'] },
    {
      state: 'awaiting_confirmation',
      expiresAtMs: bench.now() + 60_000,
      candidate: {
        channelId: 'ch_new',
        grantId: 'gr_new',
        identity: channel.identity,
        email: channel.email,
        displayName: null,
        login: channel.login,
        clientId: channel.clientId,
        candidates: { imap: [], smtp: [] },
        access: null,
      },
    },
  )
  expect(awaiting).toBeDefined()

  const hook = jsonOf(await app.call('POST /v1/webhooks', { body: { url: 'http://127.0.0.1:1/' } }))
  const calls: Record<string, [call: string, parts?: RequestParts]> = {
    'POST /v1/webhooks': ['POST /v1/webhooks', { body: { url: 'https://app.example/', accountId: 'acme' } }],
    'GET /v1/webhooks': ['GET /v1/webhooks'],
    'GET /v1/webhooks/{id}': [`GET /v1/webhooks/${hook.id}`],
    'PATCH /v1/webhooks/{id}': [`PATCH /v1/webhooks/${hook.id}`, { body: { types: ['message.received'] } }],
    'POST /v1/webhooks/{id}/rotate-secret': [`POST /v1/webhooks/${hook.id}/rotate-secret`],
    'POST /v1/webhooks/{id}/test': [`POST /v1/webhooks/${hook.id}/test`],
    'POST /v1/webhooks/{id}/redeliver': [
      `POST /v1/webhooks/${hook.id}/redeliver`,
      { body: { accountId: 'acme' } },
    ],
    'DELETE /v1/webhooks/{id}': [`DELETE /v1/webhooks/${hook.id}`],
    'GET /v1/openapi.json': ['GET /v1/openapi.json'],
    'POST /v1/connect-sessions': [
      'POST /v1/connect-sessions',
      { body: { accountId: 'acme', provider: 'google', folders: ['INBOX', 'sent'], autoConfirm: true } },
    ],
    'GET /v1/connect-sessions/{id}': [`GET /v1/connect-sessions/${session.id}`],
    'POST /v1/connect-sessions/{id}/confirm': [`POST /v1/connect-sessions/${session.id}/confirm`],
    'GET /v1/channels': ['GET /v1/channels', { query: { accountId: 'acme' } }],
    'GET /v1/channels/{id}': [`GET /v1/channels/${channel.id}`],
    'PATCH /v1/channels/{id}': [
      `PATCH /v1/channels/${channel.id}`,
      { body: { displayName: 'Support', folders: ['INBOX', 'junk'] } },
    ],
    'POST /v1/channels/{id}/poll': [`POST /v1/channels/${channel.id}/poll`],
    'POST /v1/channels/{id}/messages': [
      `POST /v1/channels/${channel.id}/messages`,
      { headers: { 'idempotency-key': 'k' }, body: { to: [{ address: 'a@b.example' }], text: 't' } },
    ],
    'GET /v1/channels/{id}/messages': [
      `GET /v1/channels/${channel.id}/messages`,
      { query: { direction: 'inbound' } },
    ],
    'POST /v1/uploads': [
      'POST /v1/uploads',
      { body: { channelId: channel.id, filename: 'a.pdf', contentType: 'application/pdf', size: 9_000_000 } },
    ],
    'GET /v1/messages/{id}': [`GET /v1/messages/${sent.id}`],
    'DELETE /v1/messages/{id}': [`DELETE /v1/messages/${sent.id}`],
    'POST /v1/messages/{id}/retry': [`POST /v1/messages/${failed.id}/retry`],
    'POST /v1/messages/{id}/reparse': [`POST /v1/messages/${received.id}/reparse`],
    'GET /v1/messages/{id}/raw': [`GET /v1/messages/${sent.id}/raw`],
    'GET /v1/messages/{id}/attachments/{index}': [`GET /v1/messages/${sent.id}/attachments/0`],
    'GET /v1/events': ['GET /v1/events', { query: { accountId: 'acme' } }],
    'DELETE /v1/channels/{id}': [`DELETE /v1/channels/${channel.id}`],
  }
  /** These need a provider; the system tests see their answers. */
  const elsewhere = [
    'POST /v1/channels/import',
    'POST /v1/channels/{id}/probe',
    'POST /v1/channels/{id}/reconcile-login',
  ]
  const operations = operationsOf(document)
  expect(Object.keys(calls).concat(elsewhere).sort()).toEqual(operations.map(({ name }) => name).sort())

  for (const [name, [call, parts = {}]] of Object.entries(calls)) {
    const answer = await callDocumented(bench, call, parts)
    const { responses } = operations.find(operation => operation.name === name)?.operation ?? {}
    const [status] = Object.keys(responses).filter(status => status.startsWith('2'))
    expect(`${name} ${answer.statusCode} ${answer.body}`).toContain(`${name} ${status} `)
    const [[type, { schema }] = ['', { schema: undefined }]] = Object.entries<Json>(
      responses[status ?? ''].content,
    )
    expect(answer.headers?.['content-type']).toBe(type)
    if (schema) expect([name, undocumented(JSON.parse(answer.body ?? ''), schema)]).toEqual([name, []])
  }
})

test('whatever is sent to any documented call, the answer is a documented one, and never a failure of ours', async () => {
  const { id } = jsonOf(await app.send(channel))
  const hook = jsonOf(await app.call('POST /v1/webhooks', { body: { url: 'http://127.0.0.1:1/' } }))
  const ids = [channel.id, id, hook.id, 'ch_unknown', '0']
  for (const operation of operationsOf(document)) {
    const { responses } = operation.operation
    await fc.assert(
      fc.asyncProperty(requestsFor(operation, document, ids), async ({ call, parts }) => {
        const answer = await callDocumented(bench, call, parts as RequestParts)
        const status = String(answer.statusCode)
        if (status === '404' && !(status in responses)) {
          // A segment that is none of a path, such as one with a broken percent sign.
          expect(problemOf(answer).code).toBe('route_not_found')
          return
        }
        expect(Object.keys(responses)).toContain(status)
        if (status.startsWith('2')) return
        const problem = problemOf(answer)
        expect(problem.code).not.toBe('internal')
        expect(responses[status].description).toContain(`\`${problem.code}\``)
        expect(answer.body).not.toMatch(/\.ts:\d|node_modules| {4}at /)
      }),
      { numRuns: 25 },
    )
  }
}, 120_000)
