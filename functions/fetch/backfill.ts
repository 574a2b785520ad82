/** Mail from before reading began: looked through in ranges of UIDs, newest range first, behind whatever is new. */

import type { MailHead } from '../channel/imap-reader.ts'
import type { Cursor } from './cursor.ts'

export type Backfill = NonNullable<Cursor['backfill']>

/** So many mails one SEARCH is asked about: its answer stays small, in a mailbox of any size. */
const searchMails = 10_000
/** Below Gmail's 2,500 MB a day for IMAP, with room for new mail and for the owner's own programs. */
const dayBytesLimit = 1_000_000_000
const dayMs = 24 * 3600_000

/** @param folder what the server says of it now */
export function beginBackfill(
  folder: { uidNext: number; messages: number },
  { since, now }: { since: Date; now: number },
): Backfill | null {
  const high = folder.uidNext - 1
  if (high < 1 || folder.messages === 0) return null
  const low = lowOf(high, folder)
  return { low, high, next: low, since: since.toISOString(), day: dayOf(now), dayBytes: 0 }
}

/** The next range below; null when there is none. */
export function rangeBelow(
  { low, ...backfill }: Backfill,
  folder: { uidNext: number; messages: number },
): Backfill | null {
  const high = low - 1
  if (high < 1) return null
  const below = lowOf(high, folder)
  return { ...backfill, low: below, high, next: below }
}

/** Where UIDs have many gaps, a range is wider. */
function lowOf(high: number, { uidNext, messages }: { uidNext: number; messages: number }): number {
  if (messages <= searchMails) return 1
  const span = Math.ceil((searchMails * uidNext) / messages)
  return Math.max(1, high - span + 1)
}

/** SEARCH SINCE knows days only, in the server's own time zone. */
export function searchFrom({ since }: Backfill): Date {
  return new Date(Date.parse(since) - dayMs)
}

/** INTERNALDATE has no fractions of seconds; compared with one, a mail would seem to have come before itself. */
export function isWanted({ receivedAt }: MailHead, { since }: Pick<Backfill, 'since'>): boolean {
  return receivedAt.getTime() >= Math.floor(Date.parse(since) / 1000) * 1000
}

/** Whether today's bytes are used up. */
export function isSated(backfill: Backfill, now: number): boolean {
  return backfill.day === dayOf(now) && backfill.dayBytes >= dayBytesLimit
}

export function counted(backfill: Backfill, heads: MailHead[], now: number): Backfill {
  const bytes = heads.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  const day = dayOf(now)
  return { ...backfill, day, dayBytes: (backfill.day === day ? backfill.dayBytes : 0) + bytes }
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10)
}
