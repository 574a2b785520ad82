/** Messages as the API answers them, as far as the commands look. */

import * as v from 'valibot'
import { integer } from '../../functions/channel/single-values.ts'
import type { Api } from './api.ts'
import { channelPath, faultSchema } from './channel-document.ts'

const addressSchema = v.object({ address: v.string(), name: v.nullish(v.string()) })

export const messageSchema = v.looseObject({
  id: v.string(),
  channelId: v.string(),
  direction: v.picklist(['inbound', 'outbound']),
  state: v.string(),
  subject: v.nullish(v.string()),
  from: v.nullish(v.array(addressSchema)),
  to: v.nullish(v.array(addressSchema)),
  cc: v.nullish(v.array(addressSchema)),
  text: v.nullish(v.string()),
  threadId: v.nullish(v.string()),
  attachments: v.optional(
    v.array(
      v.object({
        index: integer,
        filename: v.string(),
        sizeBytes: integer,
      }),
    ),
    [],
  ),
  fault: v.nullish(faultSchema),
  acceptedAt: v.nullish(v.string()),
  receivedAt: v.nullish(v.string()),
})
export type Message = v.InferOutput<typeof messageSchema>

const pageSchema = v.object({ messages: v.array(messageSchema), cursor: v.nullable(v.string()) })

export const messagePath = (id: string) => `/v1/messages/${encodeURIComponent(id)}`

/** Newest first, page by page. */
export async function* allMessages(
  api: Api,
  { channelId, direction }: { channelId: string; direction: 'inbound' | 'outbound' },
): AsyncGenerator<Message> {
  let cursor: string | undefined
  do {
    const page: v.InferOutput<typeof pageSchema> = await api.call(
      pageSchema,
      'GET',
      `${channelPath(channelId)}/messages`,
      { query: { direction, limit: '100', cursor } },
    )
    yield* page.messages
    cursor = page.cursor ?? undefined
  } while (cursor)
}
