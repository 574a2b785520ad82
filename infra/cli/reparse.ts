/** `reparse`: has stored mail parsed once more, one message or all that a channel received. */

import { z } from 'zod'
import type { Api } from './api.ts'
import type { Options } from './postroom.ts'

const messageSchema = z.object({ id: z.string() })
const pageSchema = z.object({ messages: z.array(messageSchema), cursor: z.string().nullable() })

/** @returns exit code 0 once everything is asked for; the work itself takes place within moments */
export async function reparseMessages(
  api: Api,
  { messageId, channelId, json }: Pick<Options, 'json'> & { messageId?: string; channelId?: string },
): Promise<number> {
  let count = 0
  const ask = async (id: string) => {
    await api.call(messageSchema, 'POST', `/v1/messages/${encodeURIComponent(id)}/reparse`)
    count += 1
    if (json) console.log(JSON.stringify({ id }))
    else if (process.stderr.isTTY || count % 100 === 0) process.stderr.write(`\r${count} asked for`)
  }
  if (messageId !== undefined) await ask(messageId)
  else if (channelId !== undefined) for await (const id of received(api, channelId)) await ask(id)
  if (!json)
    console.log(
      `${count > 0 ? '\r' : ''}${count} ${count === 1 ? 'mail is' : 'mails are'} being parsed once more.`,
    )
  return 0
}

async function* received(api: Api, channelId: string): AsyncGenerator<string> {
  let cursor: string | null = null
  do {
    const query = new URLSearchParams({ direction: 'inbound', limit: '100' })
    if (cursor !== null) query.set('cursor', cursor)
    const path = `/v1/channels/${encodeURIComponent(channelId)}/messages?${query}`
    const page: z.infer<typeof pageSchema> = await api.call(pageSchema, 'GET', path)
    for (const { id } of page.messages) yield id
    cursor = page.cursor
  } while (cursor !== null)
}
