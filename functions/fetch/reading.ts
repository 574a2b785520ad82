/** One poll's reading of one folder: where its cursor stands, what this poll may still take, and the taking itself. */

import type { Channel } from '../channel/channels.ts'
import type { ImapSession, MailHead } from '../channel/imap-reader.ts'
import type { Cursor, Cursors } from './cursor.ts'
import { type GroupServices, type GroupWork, groupsOf, takeGroup } from './groups.ts'

export interface FolderServices extends GroupServices {
  cursors: Cursors
}

export interface FolderWork {
  channel: Channel
  /** As in the channel's settings. */
  folder: string
  /** As the server spells it. */
  path: string
  session: ImapSession
  services: FolderServices
  /** No mail is begun after it. */
  deadlineMs: number
}

export interface Reading {
  work: FolderWork
  cursor(): Cursor
  /** @throws Overtaken */
  save(change: Partial<Cursor>): Promise<void>
  /** Whether this poll has taken its share, or its time is over. */
  isOver(): boolean
  hasTaken(): boolean
  /**
   * Takes mails in, and says after each group how far it is: a crash repeats one group at most.
   * @param progress what the cursor becomes with this group
   */
  take(
    heads: MailHead[],
    progress: (group: MailHead[]) => Partial<Cursor>,
    isRenumbered: boolean,
  ): Promise<void>
  group(isRenumbered: boolean): GroupWork
}

/** Another poll has moved the cursor: it does the work, and recognises what we did. */
export class Overtaken extends Error {}

/** One poll takes at most this many mails of a folder; the rest comes with the next. */
const mailsPerPoll = 500

export function openReading(work: FolderWork, begin: Cursor): Reading {
  const { channel, folder, session, services, deadlineMs } = work
  const { cursors, now } = services
  let left = mailsPerPoll
  let hasTaken = false

  let cursor = begin

  const isOver = () => left <= 0 || now() > deadlineMs
  const group = (isRenumbered: boolean): GroupWork => ({
    channel,
    folder,
    uidValidity: cursor.uidValidity,
    isRenumbered,
    session,
    services,
  })
  const save = async (change: Partial<Cursor>) => {
    const saved = await cursors.save(channel.id, folder, { ...cursor, ...change }, cursor)
    if (!saved) throw new Overtaken()
    cursor = saved
  }

  return {
    work,
    cursor: () => cursor,
    save,
    isOver,
    hasTaken: () => hasTaken,
    group,
    async take(heads, progress, isRenumbered) {
      for (const mails of groupsOf(heads.slice(0, left))) {
        if (isOver()) return
        const failed = await takeGroup(mails, group(isRenumbered))
        left -= mails.length
        hasTaken = true
        const retries = [...cursor.retries, ...failed.map(uid => ({ uid, tries: 1 }))]
        await save({ retries, ...progress(mails) })
      }
    },
  }
}
