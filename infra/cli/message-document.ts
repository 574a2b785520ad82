/** Messages as the API answers them, as far as the commands look. */

import * as z from 'zod'
import type { Api } from './api.ts'
import { channelPath, faultSchema } from './channel-document.ts'

const addressSchema = z.object({ address: z.string(), name: z.string().nullish() })

export const messageSchema = z.looseObject({
  id: z.string(),
  channelId: z.string(),
  direction: z.enum(['inbound', 'outbound']),
  state: z.string(),
  subject: z.string().nullish(),
  from: z.array(addressSchema).nullish(),
  to: z.array(addressSchema).nullish(),
  cc: z.array(addressSchema).nullish(),
  text: z.string().nullish(),
  threadId: z.string().nullish(),
  attachments: z.array(z.object({ index: z.int(), filename: z.string(), sizeBytes: z.int() })).default([]),
  fault: faultSchema.nullish(),
  acceptedAt: z.string().nullish(),
  receivedAt: z.string().nullish(),
})
export type Message = z.infer<typeof messageSchema>

const pageSchema = z.object({ messages: z.array(messageSchema), cursor: z.string().nullable() })

export const messagePath = (id: string) => `/v1/messages/${encodeURIComponent(id)}`

/** Newest first, page by page. */
export async function* allMessages(
  api: Api,
  { channelId, direction }: { channelId: string; direction: 'inbound' | 'outbound' },
): AsyncGenerator<Message> {
  let cursor: string | undefined
  do {
    const page: z.infer<typeof pageSchema> = await api.call(
      pageSchema,
      'GET',
      `${channelPath(channelId)}/messages`,
      { query: { direction, limit: '100', cursor } },
    )
    yield* page.messages
    cursor = page.cursor ?? undefined
  } while (cursor)
}
