/** Counts the newest mails of a folder against what is stored: proof that nothing was skipped, and the way to mend it. */

import type { MailHead } from '../channel/imap-reader.ts'
import type { Messages } from '../channel/messages.ts'
import type { Cursor } from './cursor.ts'
import type { FolderWork } from './reading.ts'

/** How far back a gap is looked for. */
const auditUids = 500
const auditMs = 2 * 24 * 3600_000
const pageSize = 100

/** @returns mails of the window that no message was made of; a mail that was moved back in is among them, harmlessly */
export async function missedMails(
  cursor: Cursor,
  { channel, folder, session, services }: FolderWork,
): Promise<MailHead[]> {
  const sinceMs = Math.max(Date.parse(channel.fetchSince), services.now() - auditMs)
  // INTERNALDATE has no fractions of seconds: a mail of this very second would seem to have come before it.
  const since = Math.floor(sinceMs / 1000) * 1000
  const range = { from: Math.max(1, cursor.lastUid - auditUids + 1), to: cursor.lastUid, limit: auditUids }
  const listed = (await session.heads(range)).filter(({ receivedAt }) => receivedAt.getTime() >= since)
  if (listed.length === 0) return []
  const known = await storedUids(
    channel.id,
    { folder, uidValidity: cursor.uidValidity, count: listed.length },
    services,
  )
  const waiting = new Set(cursor.retries.map(({ uid }) => uid))
  return listed.filter(({ uid }) => !known.has(uid) && !waiting.has(uid))
}

async function storedUids(
  channelId: string,
  { folder, uidValidity, count }: { folder: string; uidValidity: string; count: number },
  { messages }: { messages: Messages },
): Promise<Set<number>> {
  const uids = new Set<number>()
  // Copies of what was sent lie everywhere but in INBOX.
  const directions = folder === 'INBOX' ? (['inbound'] as const) : (['inbound', 'outbound'] as const)
  for (const direction of directions) {
    let after: string | undefined
    // Twice as many as are looked for: other folders' mails lie between them.
    for (let left = count * 2; left > 0; left -= pageSize) {
      const page = await messages.list({ channelId, direction, after, limit: pageSize })
      for (const message of page.items) {
        const place = message.direction === 'inbound' ? message : message.filed
        if (place?.folder === folder && place.uidValidity === uidValidity) uids.add(place.uid)
      }
      if (page.after === null) break
      after = page.after
    }
  }
  return uids
}
