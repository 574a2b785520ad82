/** Reads one folder: what is new, what is left from before, what failed before, and now and then a count of all. */

import { type Channel, presentChannel } from '../channel/channels.ts'
import type { OpenFolder, UidRange } from '../channel/imap-reader.ts'
import { errorForLog, log } from '../channel/log.ts'
import { missedMails } from './audit.ts'
import { beginBackfill, counted, isSated, isWanted, rangeBelow, searchFrom } from './backfill.ts'
import type { Cursor } from './cursor.ts'
import { giveUp, takeGroup } from './groups.ts'
import { type FolderWork, Overtaken, openReading, type Reading } from './reading.ts'

/** So many mails are listed with one command. */
const headsPerList = 200
/** How far below the cursor a mail may turn up late (Exchange, under heavy delivery). */
const overlapUids = 50
/** A mail that cannot be had is told as such at the third try. */
const triesLimit = 3
/** After a UIDVALIDITY change, mail of this long before everything was last known to be safe is looked at again. */
const resetWindowMs = 2 * 24 * 3600_000
const auditEveryMs = 24 * 3600_000
/** Sooner where the server has given numbers to mails that it did not show: most are moved or deleted, one may be late. */
const auditOfGapMs = 3600_000

/** Whether a folder has anything to do, by what a glance showed; null: there is no such folder now. */
export function isIdle(
  cursor: Cursor | undefined,
  seen: { uidValidity: string; uidNext: number } | null,
  now: number,
): boolean {
  if (seen === null) return true
  const isKnown = cursor?.uidValidity === seen.uidValidity && seen.uidNext <= cursor.lastUid + 1
  return isKnown && !hasWorkLeft(cursor, now)
}

/** What must be done though nothing is new. */
export function hasWorkLeft(cursor: Cursor, now: number): boolean {
  const isFilling = cursor.backfill !== null && !isSated(cursor.backfill, now)
  return cursor.retries.length > 0 || isFilling || isAuditDue(cursor, now)
}

/** @returns whether mail was taken in, and whether more is waiting already */
export async function readFolder(work: FolderWork): Promise<{ hasTaken: boolean; hasMore: boolean }> {
  const { channel, folder, path, session, services } = work
  const { cursors, now } = services
  const stored = await cursors.find(channel.id, folder)
  const from = Math.max((stored?.floorUid ?? 0) + 1, (stored?.lastUid ?? 0) + 1 - overlapUids)
  const range = { from, to: from + headsPerList - 1, limit: headsPerList }
  const opened = await session.open(path, range)
  const isKnown = stored?.uidValidity === opened.uidValidity
  const begin = isKnown ? stored : await beginReading(work, { opened, before: stored })
  if (!begin) return { hasTaken: false, hasMore: false }

  const reading = openReading(work, begin)
  try {
    if (isKnown) await readNew(reading, opened, range)
    await fill(reading, opened)
    await retry(reading, begin.retries)
    await audit(reading)
    await noteCaughtUp(reading, begin)
  } catch (error) {
    if (!(error instanceof Overtaken)) throw error
  }
  return { hasTaken: reading.hasTaken(), hasMore: reading.isOver() || hasWorkLeft(reading.cursor(), now()) }
}

/**
 * First poll, or another UIDVALIDITY: reading begins behind everything that is there. What is there and wanted comes
 * as back-fill; after a reset, mail that was told is recognised by what it says (identity.ts).
 * @returns undefined if another poll was faster
 */
async function beginReading(
  { channel, folder, services }: FolderWork,
  { opened, before }: { opened: OpenFolder; before: Cursor | undefined },
): Promise<Cursor | undefined> {
  const { cursors, events, now } = services
  if (before) {
    await events.announce({
      type: 'mailbox.reset',
      accountId: channel.accountId,
      channelId: channel.id,
      occurredAt: new Date(now()).toISOString(),
      subject: `${channel.id} ${folder} ${opened.uidValidity}`,
      data: { channel: presentChannel(channel), folder, uidValidity: opened.uidValidity },
    })
  }
  const lastUid = Math.max(0, opened.uidNext - 1)
  const begin = {
    uidValidity: opened.uidValidity,
    lastUid,
    floorUid: lastUid,
    recent: [],
    retries: [],
    backfill: beginBackfill(opened, { since: windowBegin(channel, before), now: now() }),
    caughtUpAt: before?.caughtUpAt ?? null,
    auditAt: before?.auditAt ?? null,
  }
  return cursors.save(channel.id, folder, begin, before)
}

function windowBegin(channel: Channel, before: Cursor | undefined): Date {
  const begin = Date.parse(channel.fetchSince)
  if (!before || before.caughtUpAt === null) return new Date(begin)
  const openSince = before.backfill ? Date.parse(before.backfill.since) : Number.POSITIVE_INFINITY
  return new Date(Math.max(begin, Math.min(openSince, Date.parse(before.caughtUpAt) - resetWindowMs)))
}

/** Upwards from the cursor, a range of UIDs at a time: a mailbox of any size is read in bounded steps. */
async function readNew(reading: Reading, opened: OpenFolder, first: UidRange): Promise<void> {
  const { session } = reading.work
  const end = Math.max(opened.uidNext - 1, opened.heads.at(-1)?.uid ?? 0)
  let { heads } = opened
  let { to } = first
  while (!reading.isOver()) {
    const { lastUid, floorUid, recent } = reading.cursor()
    const fresh = heads.filter(({ uid }) => uid > lastUid || (uid > floorUid && !recent.includes(uid)))
    const reached = heads.length < headsPerList ? Math.min(to, end) : (heads.at(-1)?.uid ?? to)
    await reading.take(fresh, group => behind(reading.cursor(), group), false)
    if (reading.isOver()) return
    if (reached > reading.cursor().lastUid) await reading.save({ lastUid: reached })
    if (reached >= end) return
    // Where UIDs have wide gaps, the steps widen.
    const span = heads.length === 0 ? (to - first.from + 1) * 4 : headsPerList
    to = reached + span
    heads = await session.heads({ from: reached + 1, to, limit: headsPerList })
  }
}

/** The cursor behind these mails. */
function behind({ lastUid, recent }: Cursor, group: { uid: number }[]): Pick<Cursor, 'lastUid' | 'recent'> {
  const uids = group.map(({ uid }) => uid)
  const last = Math.max(lastUid, ...uids)
  return { lastUid: last, recent: [...recent, ...uids].filter(uid => uid > last - overlapUids) }
}

/** What was there before reading began, after all that is new: it never keeps new mail waiting. */
async function fill(reading: Reading, opened: OpenFolder): Promise<void> {
  const { session, services } = reading.work
  for (;;) {
    const { backfill } = reading.cursor()
    if (backfill === null || reading.isOver() || isSated(backfill, services.now())) return
    const uids = await session.arrivedSince(searchFrom(backfill), {
      from: backfill.next,
      to: backfill.high,
      limit: headsPerList,
    })
    const last = uids.at(-1)
    if (last === undefined) {
      await reading.save({ backfill: rangeBelow(backfill, opened) })
      continue
    }
    const wanted = (await session.headsOf(uids)).filter(head => isWanted(head, backfill))
    const upTo = (uid: number, group: typeof wanted) => ({
      backfill: { ...counted(reading.cursor().backfill ?? backfill, group, services.now()), next: uid + 1 },
    })
    await reading.take(wanted, group => upTo(group.at(-1)?.uid ?? last, group), true)
    // Cut short by time or number: what is left of these comes with the next poll.
    if (reading.isOver()) return
    await reading.save(upTo(last, []))
  }
}

/** @param waiting what had failed before this poll */
async function retry(reading: Reading, waiting: Cursor['retries']): Promise<void> {
  const { session } = reading.work
  for (const { uid, tries } of waiting) {
    if (reading.isOver()) return
    const [head] = await session.headsOf([uid])
    const others = reading.cursor().retries.filter(entry => entry.uid !== uid)
    const hasFailed = head !== undefined && (await isRefusedAgain(reading, head))
    const isLast = tries + 1 >= triesLimit
    // Where the stores are down this fails as well, and nothing is given up.
    if (hasFailed && isLast) await giveUp(head, reading.group(false))
    await reading.save({ retries: hasFailed && !isLast ? [...others, { uid, tries: tries + 1 }] : others })
  }
}

async function isRefusedAgain(reading: Reading, head: Parameters<typeof giveUp>[0]): Promise<boolean> {
  try {
    return (await takeGroup([head], reading.group(true))).length > 0
  } catch (error) {
    log({
      event: 'mail_not_stored',
      channelId: reading.work.channel.id,
      uid: head.uid,
      ...errorForLog(error),
    })
    return true
  }
}

async function audit(reading: Reading): Promise<void> {
  const { channel, folder, services } = reading.work
  const cursor = reading.cursor()
  if (!isAuditDue(cursor, services.now()) || cursor.backfill !== null || reading.isOver()) return
  const missed = await missedMails(cursor, reading.work)
  if (missed.length > 0)
    log({ event: 'audit_reads_again', channelId: channel.id, folder, mails: missed.length })
  await reading.take(missed, () => ({}), true)
  if (!reading.isOver()) await reading.save({ auditAt: null })
}

function isAuditDue({ auditAt }: Cursor, now: number): boolean {
  return auditAt !== null && Date.parse(auditAt) <= now
}

/** Nothing is left to do: known from here on as the time up to which all is safe. */
async function noteCaughtUp(reading: Reading, begin: Cursor): Promise<void> {
  const { retries, backfill, auditAt } = reading.cursor()
  const isGapped = hasGap(reading.cursor(), begin)
  const hasMoved = reading.hasTaken() || isGapped
  if (!hasMoved || reading.isOver() || retries.length > 0 || backfill !== null) return
  const now = reading.work.services.now()
  const next = new Date(now + (isGapped ? auditOfGapMs : auditEveryMs)).toISOString()
  await reading.save({
    caughtUpAt: new Date(now).toISOString(),
    auditAt: auditAt !== null && auditAt < next ? auditAt : next,
  })
}

/** Whether this poll has passed numbers of which the server showed no mail. */
function hasGap({ lastUid, recent }: Cursor, begin: Cursor): boolean {
  const from = Math.max(begin.lastUid, lastUid - overlapUids)
  return recent.filter(uid => uid > from).length < lastUid - from
}
