/** Files that go to S3 first: signed for one size and type, found only by their own account's messages, gone unless used. */

import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { fileBytesIn } from '../../functions/channel/attached-files.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { openPresigned } from '../../functions/channel/presigned.ts'
import { type ApiCaller, apiCaller } from '../support/api-caller.ts'
import { useEngines } from '../support/engines.ts'
import { jsonOf, problemOf } from '../support/http-requests.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench, storedObjects, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const messageBytes = 60_000
let bench: Workbench
let channel: Channel
let app: ApiCaller

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ limits: { smtpConnections: 3, messagesPerMinute: 30, messageBytes } }),
  })
  channel = await addChannel(bench)
  app = apiCaller(bench)
})

const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

async function ask(changes: object = {}, claims?: object) {
  const body = { channelId: channel.id, contentType: 'application/pdf', size: bytes.length, ...changes }
  return app.call('POST /v1/uploads', { body, ...(claims && { claims: { ...claims } }) })
}

type Upload = { uploadId: string; method: string; url: string; headers: Record<string, string> }
const askFor = async (changes: object = {}) => jsonOf(await ask(changes)) as Upload

function put({ method, url, headers }: Upload, body: Buffer = bytes, others: Record<string, string> = {}) {
  return fetch(url, { method, headers: { ...headers, 'content-length': `${body.length}`, ...others }, body })
}

const attach = (uploadId: unknown, changes: object = {}) =>
  app.send(channel, {
    attachments: [{ filename: 'a.pdf', contentType: 'application/pdf', uploadId, ...changes }],
  })

test('an uploaded file leaves with the message, byte for byte, and is shown as its attachment', async () => {
  const upload = await askFor()
  expect(upload).toMatchObject({ method: 'PUT', headers: { 'content-type': 'application/pdf' } })
  expect((await put(upload)).status).toBe(200)
  const { id } = jsonOf(await attach(upload.uploadId))
  const raw = await app.call(`GET /v1/messages/${id}/raw`)
  expect(Buffer.from(raw.body ?? '', 'base64').toString()).toContain(bytes.toString('base64').slice(0, 76))
  const shown = await app.read(`GET /v1/messages/${id}`)
  expect(shown.attachments).toMatchObject([{ filename: 'a.pdf', sizeBytes: bytes.length }])
  const answer = await app.call(`GET /v1/messages/${id}/attachments/0`)
  expect(Buffer.from(answer.body ?? '', 'base64').equals(bytes)).toBe(true)
})

test('one upload may go with several messages, and a repeat of a message needs it no longer', async () => {
  const upload = await askFor()
  await put(upload)
  const attachments = [{ filename: 'a', contentType: 'a/b', uploadId: upload.uploadId }]
  const parts = {
    headers: { 'idempotency-key': 'same' },
    body: { to: [{ address: 'a@b.example' }], text: 't', attachments },
  }
  const name = `POST /v1/channels/${channel.id}/messages`
  const first = jsonOf(await app.call(name, parts))
  expect((await attach(upload.uploadId)).statusCode).toBe(202)
  bench.mail.size = async () => undefined
  expect(jsonOf(await app.call(name, parts)).id).toBe(first.id)
})

test.each<[string, Buffer, Record<string, string>]>([
  ['of another length', Buffer.alloc(bytes.length + 1), {}],
  ['of another type', bytes, { 'content-type': 'text/html' }],
])('S3 refuses a body %s than was signed', async (_what, body, headers) => {
  const response = await put(await askFor(), body, headers)
  expect(response.status).toBe(403)
  expect(await response.text()).toContain('SignatureDoesNotMatch')
  expect(await storedObjects(bench)).toEqual([])
})

test('a signature is for one key, one method and a quarter of an hour', async () => {
  const upload = await askFor()
  const other = { ...upload, url: upload.url.replace(upload.uploadId, `up_${'a'.repeat(26)}`) }
  expect((await put(other)).status).toBe(403)
  expect((await fetch(upload.url)).status).toBe(403)
  const { s3, bucket } = bench.stores
  const past = openPresigned({ s3, bucket, now: () => Date.now() - 15 * 60_000 })
  const late = await past.upload('uploads/acme/late', { contentType: 'a/b', sizeBytes: bytes.length })
  expect((await put({ ...late, uploadId: '' })).status).toBe(403)
  expect(await storedObjects(bench)).toEqual([])
})

test('what is fetched by a presigned URL comes as a download under its own name, and cannot be written by it', async () => {
  await bench.mail.put('accounts/acme/inbound/m/raw.eml', bytes, 'message/rfc822')
  const file = { filename: `ä"; x='(1)*.html`, contentType: 'application/octet-stream' }
  const { url, method, headers } = await bench.presigned.download('accounts/acme/inbound/m/raw.eml', file)
  const response = await fetch(url, { method, headers })
  expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename\*=UTF-8''[\w%.~!-]+$/)
  expect(response.headers.get('content-type')).toBe('application/octet-stream')
  expect(Buffer.from(await response.arrayBuffer()).equals(bytes)).toBe(true)
  expect((await fetch(url, { method: 'PUT', body: bytes })).status).toBe(403)
})

test('what Lambda cannot give back is handed out by S3: a raw mail and an attachment, byte for byte', async () => {
  const attachments = [{ filename: 'ä.pdf', contentType: 'application/pdf', content: 'aGk=' }]
  const { id } = jsonOf(await app.send(channel, { attachments }))
  const { rawKey, contentKey } = await bench.messages.get(String(id))
  const [file] = (await bench.messages.readContent(contentKey)).attachments
  const large = Buffer.alloc(4_500_001, bytes)
  for (const [key, path, name] of [
    [rawKey, 'raw', `${id}.eml`],
    [file?.key ?? '', 'attachments/0', '%C3%A4.pdf'],
  ] as const) {
    await bench.mail.put(key, large, 'text/html')
    const answer = await app.call(`GET /v1/messages/${id}/${path}`)
    expect(answer).toMatchObject({ statusCode: 302, headers: { 'cache-control': 'no-store' } })
    expect(answer.body).toBeUndefined()
    const response = await fetch(String(answer.headers?.location))
    expect(response.headers.get('content-disposition')).toBe(`attachment; filename*=UTF-8''${name}`)
    expect(response.headers.get('content-type')).not.toBe('text/html')
    expect(Buffer.from(await response.arrayBuffer()).equals(large)).toBe(true)
    await bench.mail.put(key, large.subarray(1), 'text/html')
    const direct = await app.call(`GET /v1/messages/${id}/${path}`)
    expect(direct.statusCode).toBe(200)
    expect(Buffer.byteLength(JSON.stringify(direct))).toBeLessThan(6_000_000 + 1024)
  }
})

test.each<[string, unknown, object]>([
  ['that never arrived', `up_${'a'.repeat(26)}`, {}],
  ['that is none', 'up_../acme/x', {}],
  ['of no text', 7, {}],
])('an upload %s is refused by its path, and leaves nothing behind', async (_what, uploadId, changes) => {
  const problem = problemOf(await attach(uploadId, changes))
  expect(problem).toMatchObject({ status: 400, errors: [{ field: 'attachments.0.uploadId' }] })
  expect(await storedObjects(bench)).toEqual([])
})

test.each([
  ['both', { content: 'aGk=' }],
  ['neither', { uploadId: undefined }],
])('an attachment with %s of content and uploadId is refused', async (_what, changes) => {
  const problem = problemOf(await attach(`up_${'a'.repeat(26)}`, changes))
  expect(problem.errors).toMatchObject([{ field: 'attachments.0.content' }])
})

test('uploads that do not fit one mail together are refused before any is read', async () => {
  const half = Buffer.alloc(30_000)
  const upload = await askFor({ size: half.length })
  await put(upload, half)
  const file = { filename: 'a', contentType: 'a/b', uploadId: upload.uploadId }
  bench.stores.calls.length = 0
  const problem = problemOf(await app.send(channel, { attachments: [file, file] }))
  expect(problem).toMatchObject({
    status: 413,
    code: 'message_too_large',
    errors: [{ field: 'attachments' }],
  })
  expect(bench.stores.calls.map(({ command }) => command)).not.toContain('GetObjectCommand')
})

test('the largest file that may be uploaded is the largest that fits', async () => {
  const most = fileBytesIn(messageBytes)
  const problem = problemOf(await ask({ size: most + 1 }))
  expect(problem.errors).toMatchObject([{ field: 'size', found: `${most + 1}` }])
  expect((await ask({ size: most })).statusCode).toBe(201)
})

test.each<[string, object, string]>([
  ['no size', { size: undefined }, 'size'],
  ['a size that is none', { size: 1.5 }, 'size'],
  ['nothing to upload', { size: 0 }, 'size'],
  ['a type that is none', { contentType: 'pdf' }, 'contentType'],
  ['a type that is two lines', { contentType: 'a/b\r\nx: y' }, 'contentType'],
  ['a name that no message may have', { filename: 'a\r\nb' }, 'filename'],
  ['neither account nor channel', { channelId: undefined }, 'accountId'],
  ['an account that is not the channel’s', { accountId: 'other' }, 'accountId'],
  ['an unknown field', { sise: 1 }, 'sise'],
])('a request with %s is refused, naming the field', async (_what, changes, field) => {
  const { status, errors } = problemOf(await ask(changes))
  expect(status).toBe(400)
  expect(errors.map(fault => fault.field)).toContain(field)
})

test('I6: whatever account asks, it can upload under itself only, and attach only what is its own', async () => {
  const mine = await askFor()
  await put(mine)
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom('acm', 'acme2', 'ACME', 'a.c:m@e', 'other', 'uploads'),
      fc.boolean(),
      async (account, byAccount) => {
        const own = await addChannel(bench, { accountId: account })
        const place = byAccount ? { accountId: account } : { channelId: own.id }
        const upload = jsonOf(await ask({ channelId: undefined, ...place }, { account }))
        const key = decodeURIComponent(decodeURIComponent(new URL(String(upload.url)).pathname))
        expect(key).toContain(`/uploads/${account}/up_`)
        const theirs = problemOf(await ask({ accountId: 'acme', channelId: undefined }, { account }))
        expect(theirs.code).toBe('account_not_allowed')
        expect(problemOf(await ask({}, { account })).code).toBe('channel_not_found')
        const attachments = [{ filename: 'a', contentType: 'a/b', uploadId: mine.uploadId }]
        const stolen = problemOf(await app.send(own, { attachments }))
        expect(stolen).toMatchObject({ status: 400, errors: [{ field: 'attachments.0.uploadId' }] })
      },
    ),
    { numRuns: 20 },
  )
})
