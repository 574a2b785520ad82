/** Every call of the API with every kind of bad input: a problem document that names field, rule and what was found. */

import { beforeEach, expect, test } from 'vitest'
import { api } from '../../functions/api/api.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { useEngines } from '../support/engines.ts'
import { httpRequest, problemOf, type RequestParts } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import {
  addChannel,
  openWorkbench,
  storedItems,
  storedObjects,
  type Workbench,
} from '../support/workbench.ts'

const engines = useEngines()
let bench: Workbench
let channel: Channel
let foreign: Channel

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
  foreign = await addChannel(bench, { accountId: 'other' })
})

/** `{channel}` and `{foreign}` stand for the ids of this test's channels. */
const inPlace = (text: string) => text.replaceAll('{channel}', channel.id).replaceAll('{foreign}', foreign.id)
const call = (name: string, parts: RequestParts = {}) =>
  api(httpRequest(inPlace(name), JSON.parse(inPlace(JSON.stringify(parts)))), bench)

const session = { accountId: 'acme', provider: 'microsoft' }
const mail = { to: [{ address: 'customer@outside.example' }], text: 'Hi' }
const key = { 'idempotency-key': 'key' }
const sessions = 'POST /v1/connect-sessions'
const messages = 'POST /v1/channels/{channel}/messages'
const long = 'x'.repeat(3_000)

type Row = [call: string, parts: RequestParts, status: number, code: string, field: string]
const rows: Row[] = [
  [sessions, {}, 400, 'json_invalid', 'body'],
  [sessions, { body: 'no json' }, 400, 'json_invalid', 'body'],
  [sessions, { body: [] }, 400, 'request_invalid', 'body'],
  [sessions, { body: { provider: 'microsoft' } }, 400, 'request_invalid', 'accountId'],
  [sessions, { body: { ...session, accountId: '' } }, 400, 'request_invalid', 'accountId'],
  [sessions, { body: { ...session, accountId: 'a#b' } }, 400, 'request_invalid', 'accountId'],
  [sessions, { body: { ...session, accountId: '-' } }, 400, 'request_invalid', 'accountId'],
  [sessions, { body: { ...session, accountId: 'a'.repeat(129) } }, 400, 'request_invalid', 'accountId'],
  [sessions, { body: { accountId: 'acme' } }, 400, 'request_invalid', 'provider'],
  [sessions, { body: { ...session, folders: [] } }, 400, 'request_invalid', 'folders'],
  [sessions, { body: { ...session, folders: ['sent', ''] } }, 400, 'request_invalid', 'folders.1'],
  [sessions, { body: { ...session, provider: 'yahoo' } }, 400, 'provider_unknown', 'provider'],
  [sessions, { body: { ...session, provider: 'constructor' } }, 400, 'provider_unknown', 'provider'],
  [
    sessions,
    { body: { ...session, returnUrl: 'https://evil.example/' } },
    400,
    'request_invalid',
    'returnUrl',
  ],
  [
    sessions,
    { body: { ...session, returnUrl: 'https://app.example/connected/' } },
    400,
    'request_invalid',
    'returnUrl',
  ],
  [
    sessions,
    { body: { ...session, returnUrl: 'http://localhost:3000/' } },
    400,
    'request_invalid',
    'returnUrl',
  ],
  [sessions, { body: { ...session, returnUrl: 'javascript:alert(1)' } }, 400, 'request_invalid', 'returnUrl'],
  [sessions, { body: { ...session, loginHint: '' } }, 400, 'request_invalid', 'loginHint'],
  [sessions, { body: { ...session, sharedMailbox: 'desk' } }, 400, 'request_invalid', 'sharedMailbox'],
  [sessions, { body: { ...session, fetchSince: 'yesterday' } }, 400, 'request_invalid', 'fetchSince'],
  [sessions, { body: { ...session, fetchSince: '2026-11-24' } }, 400, 'request_invalid', 'fetchSince'],
  [sessions, { body: { ...session, autoConfirm: 'yes' } }, 400, 'request_invalid', 'autoConfirm'],
  [sessions, { body: { ...session, scope: 'all' } }, 400, 'request_invalid', 'scope'],
  [sessions, { body: { ...session, channelId: 'ch_unknown' } }, 404, 'channel_not_found', 'channelId'],
  [sessions, { body: { ...session, channelId: '{foreign}' } }, 404, 'channel_not_found', 'channelId'],
  [
    sessions,
    { body: { ...session, provider: 'google', channelId: '{channel}' } },
    404,
    'channel_not_found',
    'channelId',
  ],
  ['GET /v1/connect-sessions/cs_unknown', {}, 404, 'session_not_found', 'id'],
  ['POST /v1/connect-sessions/cs_unknown/confirm', {}, 404, 'session_not_found', 'id'],

  ['GET /v1/channels', { query: { limit: '0' } }, 400, 'request_invalid', 'limit'],
  ['GET /v1/channels', { query: { limit: '101' } }, 400, 'request_invalid', 'limit'],
  ['GET /v1/channels', { query: { limit: '1.5' } }, 400, 'request_invalid', 'limit'],
  ['GET /v1/channels', { query: { limit: 'all' } }, 400, 'request_invalid', 'limit'],
  ['GET /v1/channels', { query: { cursor: '!' } }, 400, 'request_invalid', 'cursor'],
  ['GET /v1/channels', { query: { accountId: 'a/b' } }, 400, 'request_invalid', 'accountId'],
  ['GET /v1/channels', { query: { account: 'acme' } }, 400, 'request_invalid', 'account'],
  ['GET /v1/channels/ch_unknown', {}, 404, 'channel_not_found', 'channelId'],
  [`GET /v1/channels/${long}`, {}, 404, 'channel_not_found', 'channelId'],
  ['POST /v1/channels/ch_unknown/poll', {}, 404, 'channel_not_found', 'channelId'],

  [messages, { headers: key }, 400, 'json_invalid', 'body'],
  [messages, { headers: key, body: 'null' }, 400, 'request_invalid', 'body'],
  [
    messages,
    { headers: key, body: { ...mail, to: [{ address: 'nobody' }] } },
    400,
    'request_invalid',
    'to.0.address',
  ],
  [messages, { headers: key, body: { ...mail, extra: 1 } }, 400, 'request_invalid', 'extra'],
  [
    messages,
    { headers: key, body: { ...mail, inReplyTo: 'msg_unknown' } },
    400,
    'request_invalid',
    'inReplyTo',
  ],
  [
    messages,
    { headers: key, body: { ...mail, headers: { Bcc: 'a@b.example' } } },
    400,
    'request_invalid',
    'headers.Bcc',
  ],
  [messages, { body: mail }, 400, 'idempotency_key_missing', 'Idempotency-Key'],
  [
    messages,
    { headers: { 'idempotency-key': 'a b' }, body: mail },
    400,
    'request_invalid',
    'Idempotency-Key',
  ],
  [messages, { headers: { 'idempotency-key': long }, body: mail }, 400, 'request_invalid', 'Idempotency-Key'],
  [
    'POST /v1/channels/ch_unknown/messages',
    { headers: key, body: mail },
    404,
    'channel_not_found',
    'channelId',
  ],
  ['GET /v1/channels/{channel}/messages', {}, 400, 'request_invalid', 'direction'],
  [
    'GET /v1/channels/{channel}/messages',
    { query: { direction: 'both' } },
    400,
    'request_invalid',
    'direction',
  ],
  [
    'GET /v1/channels/{channel}/messages',
    { query: { direction: 'inbound', cursor: ' ' } },
    400,
    'request_invalid',
    'cursor',
  ],
  [
    'GET /v1/channels/{channel}/messages',
    { query: { direction: 'inbound', limit: '-1' } },
    400,
    'request_invalid',
    'limit',
  ],
  [
    'GET /v1/channels/ch_unknown/messages',
    { query: { direction: 'inbound' } },
    404,
    'channel_not_found',
    'channelId',
  ],
  ['GET /v1/messages/msg_unknown', {}, 404, 'message_not_found', 'id'],
  ['GET /v1/messages/msg_unknown/raw', {}, 404, 'message_not_found', 'id'],
  ['GET /v1/messages/msg_unknown/attachments/0', {}, 404, 'message_not_found', 'id'],
  ['DELETE /v1/messages/msg_unknown', {}, 404, 'message_not_found', 'id'],
  ['POST /v1/messages/msg_unknown/retry', {}, 404, 'message_not_found', 'id'],

  ['GET /v1/events', {}, 400, 'request_invalid', 'accountId'],
  ['GET /v1/events', { query: { accountId: 'a b' } }, 400, 'request_invalid', 'accountId'],
  ['GET /v1/events', { query: { accountId: 'acme', after: 'ä' } }, 400, 'request_invalid', 'after'],
  ['GET /v1/events', { query: { accountId: 'acme', limit: '1e9' } }, 400, 'request_invalid', 'limit'],
  ['GET /v1/events', { query: { accountId: 'acme', cursor: 'YQ' } }, 400, 'request_invalid', 'cursor'],

  ['GET /v1', {}, 404, 'route_not_found', 'path'],
  ['GET /v1/nothing', {}, 404, 'route_not_found', 'path'],
  ['GET /v1/channels/%ZZ', {}, 404, 'route_not_found', 'path'],
  ['PUT /v1/channels', {}, 405, 'method_not_allowed', 'method'],
  ['POST /v1/events', {}, 405, 'method_not_allowed', 'method'],
]

test.each(rows.map((row, number) => [row[0].slice(0, 60), row[3], row[4], number] as const))(
  '%s is refused with %s naming %s (no. %i)',
  async (_call, _code, _field, number) => {
    const [name, parts, status, code, field] = rows[number] ?? rows[0] ?? ['', {}, 0, '', '']
    const before = await storedItems(bench)
    const problem = problemOf(await call(name, parts))
    expect(problem).toMatchObject({ status, code })
    expect(problem.errors.map(error => error.field)).toContain(field)
    for (const error of problem.errors) {
      expect(error.rule).not.toBe('')
      expect(error.found.length).toBeLessThanOrEqual(81)
      expect(problem.detail).toContain(error.rule)
    }
    expect(await storedItems(bench)).toEqual(before)
    expect(await storedObjects(bench)).toEqual([])
  },
)

test('a refused method is told those that are allowed in the header RFC 9110 wants', async () => {
  const answer = await call('PUT /v1/channels')
  expect(
    Object.entries(answer.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]),
  ).toContainEqual(['allow', 'GET'])
})

test('several broken rules are told at once', async () => {
  const { errors } = problemOf(
    await call(messages, { headers: key, body: { to: [{ address: 'a' }], extra: 1, sendAt: 'b', text: '' } }),
  )
  expect(errors.map(({ field }) => field).sort()).toEqual(['extra', 'sendAt', 'to.0.address'])
})

test('a failure of ours is 500 and tells nothing of its cause', async () => {
  bench.stores.failWhen(({ service }) => service === 'dynamodb')
  const answer = await call('GET /v1/channels/{channel}')
  expect(problemOf(answer)).toMatchObject({ status: 500, code: 'internal', errors: [] })
  expect(answer.body).not.toContain('down in this test')
})
