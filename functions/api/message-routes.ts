/** Calls about messages: send, list, read, the raw bytes, attachments, retry, cancel, parse anew. */

import * as v from 'valibot'
import { accept } from '../channel/accept.ts'
import { fitting } from '../channel/event-message.ts'
import { PostroomError } from '../channel/faults.ts'
import { attachmentNamed, type HttpAnswer, json } from '../channel/http.ts'
import { log } from '../channel/log.ts'
import { idempotencyKeySchema, messageDocumentSchema } from '../channel/message-document.ts'
import type { Message } from '../channel/messages.ts'
import { cancelMessage, retryMessage } from '../channel/outbox-control.ts'
import { cursorSchema, limitSchema, pageOf, writeCursor } from '../channel/paging.ts'
import { ringQuietly } from '../channel/queues.ts'
import { routesWith } from '../channel/route.ts'
import { parse } from '../channel/schema-check.ts'
import { messageDocumentSchemas, presentMessage } from '../channel/shown-message.ts'
import type { ApiServices } from './api.ts'

const route = routesWith<ApiServices>()

/** Lambda gives back 6 MB at most, in which every quote and line end of a body takes two bytes. */
const answerBytes = 2_500_000
/** Of the same 6 MB, base64 takes four for every three. What is larger, S3 hands out itself. */
const downloadBytes = 4_500_000

const listQuery = v.strictObject({
  direction: v.picklist(['inbound', 'outbound'], 'must be inbound or outbound'),
  cursor: v.optional(cursorSchema),
  limit: limitSchema,
})

export const messageSchema = v.variant('direction', [
  messageDocumentSchemas.outbound,
  messageDocumentSchemas.inbound,
])

const acceptedSchema = v.pick(messageDocumentSchemas.outbound, [
  'id',
  'channelId',
  'state',
  'messageId',
  'acceptedAt',
])

export const messageRoutes = [
  route(
    {
      method: 'POST',
      path: '/v1/channels/{id}/messages',
      operationId: 'sendMessage',
      summary: 'Accepts a message. It is never lost after this, and sent once.',
      headers: v.object({
        'idempotency-key': v.pipe(
          idempotencyKeySchema,
          v.description(
            'The same key with the same body is the same message; with another body it is refused.',
          ),
        ),
      }),
      body: messageDocumentSchema,
      // A message that comes by SQS has the same rules: accept() checks both.
      bodyIsUnchecked: true,
      answer: { status: 202, body: acceptedSchema },
      faults: [
        'json_invalid',
        'request_invalid',
        'idempotency_key_missing',
        'idempotency_conflict',
        'message_too_large',
        'channel_not_found',
        'channel_disconnected',
        'loop_braked',
      ],
    },
    async ({ request, body, parameters, services }) => {
      const channel = await services.channels.get(parameters.id ?? '')
      const idempotencyKey = request.headers['idempotency-key']
      const message = await accept({ channel, idempotencyKey, document: body }, services)
      await ringQuietly(services.queues, channel.id, log)
      return json(202, parse(acceptedSchema, message))
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/channels/{id}/messages',
      operationId: 'listMessages',
      summary: 'The messages of a channel, newest first.',
      query: listQuery,
      answer: { status: 200, body: pageOf('messages', messageSchema) },
      faults: ['request_invalid', 'channel_not_found'],
    },
    async ({ query, parameters, services }) => {
      const { direction, cursor, limit } = query
      const channel = await services.channels.get(parameters.id ?? '')
      const page = await services.messages.list({ channelId: channel.id, direction, after: cursor, limit })
      const share = Math.floor(answerBytes / Math.max(1, page.items.length))
      const messages = await Promise.all(page.items.map(message => present(message, services, share)))
      return json(200, { messages, cursor: writeCursor(page.after) })
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/messages/{id}',
      operationId: 'getMessage',
      summary: 'One message with its text and the list of its attachments.',
      answer: { status: 200, body: messageSchema },
      faults: ['message_not_found'],
    },
    async ({ parameters, services }) =>
      json(200, await present(await services.messages.get(parameters.id ?? ''), services)),
  ),

  route(
    {
      method: 'DELETE',
      path: '/v1/messages/{id}',
      operationId: 'cancelMessage',
      summary: 'Cancels a message that is not on its way yet.',
      answer: { status: 200, body: messageSchema },
      faults: ['message_not_found', 'message_not_cancellable'],
    },
    async ({ parameters, services }) => {
      const message = await cancelMessage(parameters.id ?? '', services)
      await ringQuietly(services.queues, message.channelId, log)
      return json(200, await present(message, services))
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/messages/{id}/retry',
      operationId: 'retryMessage',
      summary:
        'Sends a failed, uncertain or expired message again; or now, what waits for its sendAt or next attempt, or is parked though its channel works again.',
      answer: { status: 202, body: messageSchema },
      faults: ['message_not_found', 'message_not_retryable', 'channel_disconnected', 'channel_not_usable'],
    },
    async ({ parameters, services }) => {
      const message = await retryMessage(parameters.id ?? '', services)
      await ringQuietly(services.queues, message.channelId, log)
      return json(202, await present(message, services))
    },
  ),

  route(
    {
      method: 'POST',
      path: '/v1/messages/{id}/reparse',
      operationId: 'reparseMessage',
      summary: 'Has a received mail parsed once more, from its stored bytes. It stays the same message.',
      answer: { status: 202, body: v.object({ id: v.string() }) },
      faults: ['message_not_found', 'message_not_parsable'],
    },
    async ({ parameters, services }) => {
      const { id, direction } = await services.messages.get(parameters.id ?? '')
      if (direction !== 'inbound') {
        throw new PostroomError('message_not_parsable', {
          errors: [{ field: 'direction', rule: 'must be inbound', found: direction }],
        })
      }
      // fetch holds the parser, and its queue is the way there.
      await services.queues.reparse(id)
      return json(202, { id })
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/messages/{id}/raw',
      operationId: 'getRawMessage',
      summary: 'The bytes of the mail (RFC 5322).',
      answer: { status: 200, bytes: 'message/rfc822' },
      faults: ['message_not_found'],
    },
    async ({ parameters, services }) => {
      const message = await services.messages.get(parameters.id ?? '')
      const file = { filename: `${message.id}.eml`, contentType: 'message/rfc822' }
      const answer = await download(message.rawKey, file, services)
      if (answer) return answer
      throw new PostroomError('message_not_found')
    },
  ),

  route(
    {
      method: 'GET',
      path: '/v1/messages/{id}/attachments/{index}',
      operationId: 'getAttachment',
      summary: 'The bytes of one attachment, as a download.',
      answer: { status: 200, bytes: 'application/octet-stream' },
      faults: ['message_not_found', 'attachment_not_found'],
    },
    async ({ parameters, services }) => {
      const message = await services.messages.get(parameters.id ?? '')
      const { attachments } = await services.messages.readContent(message.contentKey)
      const index = parameters.index ?? ''
      const found = /^\d{1,4}$/.test(index) ? attachments[Number(index)] : undefined
      const file = { filename: found?.filename ?? '', contentType: 'application/octet-stream' }
      const answer = found && (await download(found.key, file, services))
      if (answer) return answer
      throw new PostroomError('attachment_not_found', {
        errors: [
          { field: 'index', rule: `must be 0 to ${attachments.length - 1}`, found: index.slice(0, 80) },
        ],
      })
    },
  ),
]

async function present(message: Message, { messages }: ApiServices, limitBytes = answerBytes) {
  return fitting(presentMessage(message, await messages.readContent(message.contentKey)), limitBytes)
}

/** @returns undefined if there is no such object. Mail is hostile: no browser may take it for a page of ours. */
async function download(
  key: string,
  file: { filename: string; contentType: string },
  { mail, presigned }: ApiServices,
): Promise<HttpAnswer | undefined> {
  const sizeBytes = await mail.size(key)
  if (sizeBytes !== undefined && sizeBytes > downloadBytes) {
    const { url } = await presigned.download(key, file)
    return { statusCode: 302, headers: { location: url, 'cache-control': 'no-store' } }
  }
  const bytes = await mail.read(key)
  return (
    bytes && {
      statusCode: 200,
      headers: {
        'content-type': file.contentType,
        'content-disposition': attachmentNamed(file.filename),
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-store',
      },
      isBase64Encoded: true,
      body: Buffer.from(bytes).toString('base64'),
    }
  )
}
