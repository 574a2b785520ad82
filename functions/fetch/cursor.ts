/** How far a folder has been read, and what of it is still to be done. One item, changed by one writer at a time. */

import * as v from 'valibot'
import { integer } from '../channel/single-values.ts'
import { readItem, type Table } from '../channel/table.ts'

const cursorSchema = v.object({
  uidValidity: v.string(),
  /** Every mail up to here is safe, or stands in `retries`, or belongs to `backfill`. */
  lastUid: integer,
  /** Mail up to here was there before reading began: it belongs to `backfill` alone. */
  floorUid: integer,
  /** UIDs right below `lastUid` that were seen: a server may show a mail a moment after its successor. */
  recent: v.array(integer),
  /** Mails that the server lists but does not give, or that could not be stored while others could. */
  retries: v.array(v.object({ uid: integer, tries: integer })),
  /**
   * Mail from before reading began, or from before the server numbered its mail anew: looked through from `high`
   * down, range by range, within a range upwards from `next`.
   */
  backfill: v.nullable(
    v.object({
      low: integer,
      high: integer,
      next: integer,
      /** What arrived before is not told. */
      since: v.string(),
      /** What this day (UTC) has read already: providers limit the bytes of a day. */
      day: v.string(),
      dayBytes: integer,
    }),
  ),
  /** When nothing was left to do; null: never yet. */
  caughtUpAt: v.nullable(v.string()),
  /** When the newest mails are counted against what is stored; null: nothing came since it was done. */
  auditAt: v.nullable(v.string()),
  /** Grows with every change. */
  version: integer,
})

export type Cursor = v.InferOutput<typeof cursorSchema>

const cursorKey = (channelId: string, folder: string) => ({
  pk: `CHANNEL#${channelId}`,
  sk: `CURSOR#${folder}`,
})

export interface Cursors {
  find(channelId: string, folder: string): Promise<Cursor | undefined>
  /**
   * Replaces what was read. Of two polls that overlap, the one that comes later finds its reading outdated.
   * @param before what the change was made from; undefined if there was none
   * @returns what is stored now; undefined if another poll was faster
   */
  save(
    channelId: string,
    folder: string,
    cursor: Omit<Cursor, 'version'>,
    before: Cursor | undefined,
  ): Promise<Cursor | undefined>
}

export function openCursors({ main }: { main: Table }): Cursors {
  return {
    async find(channelId, folder) {
      const item = await main.get(cursorKey(channelId, folder))
      return item && readItem(cursorSchema, item)
    },

    async save(channelId, folder, cursor, before) {
      const next = { ...cursor, version: (before?.version ?? 0) + 1 }
      // Versions only grow: what is not above ours is ours.
      const condition = before ? { exists: true, atMost: { version: before.version } } : { exists: false }
      const isSaved = await main.put({ ...cursorKey(channelId, folder), ...next }, condition)
      return isSaved ? next : undefined
    },
  }
}
