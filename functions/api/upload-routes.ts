/** Files too large for a request's body (API Gateway takes 10 MB, Lambda 6) go to S3 first, and a message names them. */

import * as v from 'valibot'
import { accountIdSchema } from '../channel/account-id.ts'
import { fileBytesIn, uploadIdPattern } from '../channel/attached-files.ts'
import { accountOf } from '../channel/caller.ts'
import { type FieldFault, PostroomError } from '../channel/faults.ts'
import { json } from '../channel/http.ts'
import { randomId } from '../channel/identifiers.ts'
import { mailKeys } from '../channel/mail-keys.ts'
import { attachmentSchema } from '../channel/message-document.ts'
import { providerOf } from '../channel/provider.ts'
import { routesWith } from '../channel/route.ts'
import { parse } from '../channel/schema-check.ts'
import { integer } from '../channel/single-values.ts'
import type { ApiServices } from './api.ts'

const uploadRequest = v.strictObject({
  accountId: v.optional(accountIdSchema),
  channelId: v.pipe(
    v.optional(v.string()),
    v.description('In place of the account: the channel that is to send it, whose provider sets the limit.'),
  ),
  filename: v.pipe(
    v.optional(attachmentSchema.entries.filename),
    v.description(
      'Checked as a message’s is, before the bytes are on their way. The message names the file.',
    ),
  ),
  contentType: attachmentSchema.entries.contentType,
  size: v.pipe(integer, v.minValue(1, 'must be at least 1'), v.description('In bytes, exactly.')),
})

const uploadSchema = v.object({
  uploadId: v.pipe(
    v.string(),
    v.regex(uploadIdPattern),
    v.description('For `attachments` of a message, within a day.'),
  ),
  method: v.literal('PUT'),
  url: v.pipe(v.string(), v.description('Whoever has it may upload: it is for the app only.')),
  headers: v.pipe(
    v.record(v.string(), v.string()),
    v.description('To be sent exactly so with the bytes: they are signed.'),
  ),
  expiresAt: v.pipe(v.string(), v.description('Until then the upload may begin.')),
})

export const uploadRoutes = [
  routesWith<ApiServices>()(
    {
      method: 'POST',
      path: '/v1/uploads',
      operationId: 'createUpload',
      summary: 'Where to upload one file that a message of this account is to carry.',
      body: uploadRequest,
      answer: { status: 201, body: uploadSchema },
      faults: ['json_invalid', 'request_invalid', 'account_not_allowed', 'channel_not_found'],
    },
    async ({ body, caller, services }) => {
      const { channelId, contentType, size } = body
      const channel = channelId === undefined ? undefined : await services.channels.get(channelId)
      const accountId = accountOf(caller, body.accountId ?? channel?.accountId)
      if (channel && channel.accountId !== accountId)
        throw invalid({ field: 'accountId', rule: 'must be the account of the channel', found: accountId })
      const limits = channel
        ? [providerOf(services.providers, channel.provider).limits]
        : Object.values(services.providers).map(provider => provider.limits)
      const most = fileBytesIn(Math.max(...limits.map(({ messageBytes }) => messageBytes)))
      if (size > most)
        throw invalid({
          field: 'size',
          rule: `must be at most ${most}: a mail holds no more`,
          found: `${size}`,
        })
      const uploadId = randomId('up')
      const key = mailKeys.upload(accountId, uploadId)
      const transfer = await services.presigned.upload(key, { contentType, sizeBytes: size })
      return json(201, parse(uploadSchema, { uploadId, ...transfer }))
    },
  ),
]

function invalid(fault: FieldFault): PostroomError {
  return new PostroomError('request_invalid', { errors: [fault] })
}
