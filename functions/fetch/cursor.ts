/** How far a folder has been read: UIDVALIDITY and the last UID whose mail is safe. */

import { z } from 'zod'
import { readItem, type Table } from '../channel/table.ts'

const cursorSchema = z.object({
  uidValidity: z.string(),
  lastUid: z.int(),
  /**
   * After a UIDVALIDITY change: up to this UID, mail may be old mail under a new number, and what arrived
   * before `since` is. A server may number anew in any order.
   */
  resync: z.object({ toUid: z.int(), since: z.string() }).nullable(),
})

export type Cursor = z.infer<typeof cursorSchema>

const cursorKey = (channelId: string, folder: string) => ({
  pk: `CHANNEL#${channelId}`,
  sk: `CURSOR#${folder}`,
})

export interface Cursors {
  find(channelId: string, folder: string): Promise<Cursor | undefined>
  /** Begins to read a folder, or begins anew after its UIDVALIDITY changed. */
  begin(channelId: string, folder: string, cursor: Cursor): Promise<void>
  /** Moves forward only, and only while the UIDs still mean the same. */
  advance(channelId: string, folder: string, to: { uidValidity: string; lastUid: number }): Promise<void>
}

export function openCursors({ main }: { main: Table }): Cursors {
  return {
    async find(channelId, folder) {
      const item = await main.get(cursorKey(channelId, folder))
      return item && readItem(cursorSchema, item)
    },

    async begin(channelId, folder, cursor) {
      await main.put({ ...cursorKey(channelId, folder), ...cursor })
    },

    async advance(channelId, folder, { uidValidity, lastUid }) {
      await main.update(
        cursorKey(channelId, folder),
        { set: { lastUid } },
        { equals: { uidValidity }, atMost: { lastUid } },
      )
    },
  }
}
