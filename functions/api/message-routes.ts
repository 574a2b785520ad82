/** Calls about messages: send, list, read, the raw bytes, attachments, retry, cancel. */

import { z } from 'zod'
import { accept } from '../channel/accept.ts'
import { PostroomError } from '../channel/faults.ts'
import { type HttpAnswer, json } from '../channel/http.ts'
import { log } from '../channel/log.ts'
import { type Message, presentMessage } from '../channel/messages.ts'
import { cancelMessage, retryMessage } from '../channel/outbox-control.ts'
import { ringQuietly } from '../channel/queues.ts'
import type { ApiServices } from './api.ts'
import {
  type Call,
  cursorSchema,
  limitSchema,
  type Route,
  readBody,
  readQuery,
  writeCursor,
} from './route.ts'

const listQuery = z.strictObject({
  direction: z.enum(['inbound', 'outbound'], { message: 'must be inbound or outbound' }),
  cursor: cursorSchema.optional(),
  limit: limitSchema,
})

export const messageRoutes: Route[] = [
  { method: 'POST', pattern: '/v1/channels/{id}/messages', answer: send },
  { method: 'GET', pattern: '/v1/channels/{id}/messages', answer: list },
  { method: 'GET', pattern: '/v1/messages/{id}', answer: read },
  { method: 'DELETE', pattern: '/v1/messages/{id}', answer: cancel },
  { method: 'POST', pattern: '/v1/messages/{id}/retry', answer: retry },
  { method: 'GET', pattern: '/v1/messages/{id}/raw', answer: raw },
  { method: 'GET', pattern: '/v1/messages/{id}/attachments/{index}', answer: attachment },
]

async function send({ request, parameters, services }: Call) {
  const channel = await services.channels.get(parameters.id ?? '')
  const message = await accept(
    { channel, idempotencyKey: request.headers['idempotency-key'], document: readBody(request) },
    services,
  )
  await ringQuietly(services.queues, channel.id, log)
  const { id, channelId, state, messageId, acceptedAt } = message
  return json(202, { id, channelId, state, messageId, acceptedAt })
}

async function list({ request, parameters, services }: Call) {
  const { direction, cursor, limit } = readQuery(request, listQuery)
  const channel = await services.channels.get(parameters.id ?? '')
  const page = await services.messages.list({ channelId: channel.id, direction, after: cursor, limit })
  const messages = await Promise.all(page.items.map(message => present(message, services)))
  return json(200, { messages, cursor: writeCursor(page.after) })
}

async function read({ parameters, services }: Call) {
  return json(200, await present(await services.messages.get(parameters.id ?? ''), services))
}

async function cancel({ parameters, services }: Call) {
  return json(200, await present(await cancelMessage(parameters.id ?? '', services), services))
}

async function retry({ parameters, services }: Call) {
  const message = await retryMessage(parameters.id ?? '', services)
  await ringQuietly(services.queues, message.channelId, log)
  return json(202, await present(message, services))
}

async function raw({ parameters, services }: Call) {
  const message = await services.messages.get(parameters.id ?? '')
  const bytes = await services.mail.read(message.rawKey)
  if (!bytes) throw new PostroomError('message_not_found')
  return download(bytes, 'message/rfc822', `${message.id}.eml`)
}

async function attachment({ parameters, services }: Call) {
  const message = await services.messages.get(parameters.id ?? '')
  const { attachments } = await services.messages.readContent(message.contentKey)
  const index = parameters.index ?? ''
  const found = /^\d{1,4}$/.test(index) ? attachments[Number(index)] : undefined
  const bytes = found && (await services.mail.read(found.key))
  if (bytes) return download(bytes, 'application/octet-stream', found.filename)
  throw new PostroomError('attachment_not_found', {
    errors: [{ field: 'index', rule: `must be 0 to ${attachments.length - 1}`, found: index.slice(0, 80) }],
  })
}

async function present(message: Message, { messages }: ApiServices) {
  return presentMessage(message, await messages.readContent(message.contentKey))
}

/** Mail is hostile: no browser may take it for a page of ours. RFC 6266 for the name, RFC 8187 for its letters. */
function download(bytes: Uint8Array, contentType: string, filename: string): HttpAnswer {
  return {
    statusCode: 200,
    headers: {
      'content-type': contentType,
      'content-disposition': `attachment; filename*=UTF-8''${encodeURIComponent(filename).replace(/['()*]/g, '_')}`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    },
    isBase64Encoded: true,
    body: Buffer.from(bytes).toString('base64'),
  }
}
