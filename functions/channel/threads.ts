/** Threads: which conversation a mail belongs to, found by the Message-IDs it refers to, else by the provider's own mark. */

import * as v from 'valibot'
import { derivedId } from './identifiers.ts'
import { readItem, type Table } from './table.ts'

/** Of a long References chain, the nearest ancestors decide; older ones lead to the same thread anyway. */
const lookUpLimit = 20

const entrySchema = v.object({
  threadId: v.string(),
  id: v.string(),
  messageId: v.string(),
  references: v.array(v.string()),
})

export type ThreadEntry = v.InferOutput<typeof entrySchema>

const entryKey = (channelId: string, messageId: string) => ({
  pk: `CHANNEL#${channelId}`,
  sk: `MESSAGE_ID#${derivedId('mid', messageId)}`,
})

interface Referring {
  messageId: string
  inReplyTo: string | null
  references: string[]
  /** What the provider calls the conversation, such as Exchange's Thread-Index: only where no ancestor is known. */
  conversation?: string | null
}

export interface Threads {
  /** What we know of one Message-ID in this channel. */
  find(channelId: string, messageId: string): Promise<ThreadEntry | undefined>
  /** @returns the thread of the nearest ancestor we know; else one derived from the oldest ancestor named */
  threadOf(channelId: string, mail: Referring): Promise<string>
  /** From now on, mails that refer to this Message-ID join its thread. The first to use an id keeps it. */
  remember(channelId: string, entry: ThreadEntry): Promise<void>
}

export function openThreads({ main }: { main: Table }): Threads {
  return {
    async find(channelId, messageId) {
      const item = await main.get(entryKey(channelId, messageId))
      return item && readItem(entrySchema, item)
    },

    async threadOf(channelId, { messageId, inReplyTo, references, conversation = null }) {
      const ancestors = [...new Set([inReplyTo, ...references.toReversed()])].filter(id => id !== null)
      const marks = [...ancestors.slice(0, lookUpLimit), ...(conversation === null ? [] : [conversation])]
      const known = await main.getMany(marks.map(mark => entryKey(channelId, mark)))
      const nearest = known.find(item => item !== undefined)
      const threadId = nearest
        ? readItem(entrySchema, nearest).threadId
        : derivedId('th', channelId, references[0] ?? inReplyTo ?? messageId)
      if (conversation !== null && known.at(-1) === undefined) {
        const entry = { threadId, id: '', messageId: conversation, references: [] }
        await main.put({ ...entryKey(channelId, conversation), ...entry }, { exists: false })
      }
      return threadId
    },

    async remember(channelId, entry) {
      await main.put({ ...entryKey(channelId, entry.messageId), ...entry }, { exists: false })
    },
  }
}
