/** Takes mails in, group by group: as many as fit into a little memory come with one command. */

import type { Channel } from '../channel/channels.ts'
import { asPostroomError, PostroomError } from '../channel/faults.ts'
import type { FetchedMail, ImapSession, MailHead } from '../channel/imap-reader.ts'
import { errorForLog, log } from '../channel/log.ts'
import { copyId, inboundId, mailIdentity } from './identity.ts'
import { type IngestServices, ingest } from './ingest.ts'
import type { Memory } from './memory.ts'

/** What is larger is not taken into memory: the app gets its beginning and the reason. Above both providers' limits for what they carry. */
const mailLimitBytes = 40 * 1024 * 1024
/** Mails that come with one command: together no more than this, and no more of them than a server gives quickly. */
const groupBytes = 4 * 1024 * 1024
const groupMails = 50
/** The shortest mail costs this much around it. */
const overheadBytes = 4 * 1024

export interface GroupServices extends IngestServices {
  memory: Memory
}

export interface GroupWork {
  channel: Channel
  /** As in the channel's settings. */
  folder: string
  uidValidity: string
  isRenumbered: boolean
  session: ImapSession
  services: GroupServices
}

/** Groups in the order of their UIDs; a mail too large to be read is alone in its group. */
export function groupsOf(heads: MailHead[]): MailHead[][] {
  const groups: MailHead[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const head of [...heads].sort((a, b) => a.uid - b.uid)) {
    const size = head.sizeBytes + overheadBytes
    const last = groups.at(-1)
    if (last && bytes + size <= groupBytes && last.length < groupMails) {
      last.push(head)
      bytes += size
    } else {
      groups.push([head])
      bytes = size
    }
  }
  return groups
}

/**
 * Takes one group in. Each mail is safe when this returns, or is named as missing.
 * @returns the UIDs the server lists but did not give, or that could not be stored though others could
 * @throws what storing threw, if nothing could be stored: the stores are down, and no mail is to blame
 */
export async function takeGroup(group: MailHead[], work: GroupWork): Promise<number[]> {
  const { session, services } = work
  const [first] = group
  if (!first) return []
  const isTooLarge = first.sizeBytes > mailLimitBytes
  const largest = Math.max(...group.map(({ sizeBytes }) => sizeBytes))
  const failures: { uid: number; error: unknown }[] = []
  const taken: number[] = []
  const again: MailHead[] = []

  const bytes = isTooLarge ? 0 : group.reduce((sum, { sizeBytes }) => sum + sizeBytes + overheadBytes, 0)
  await services.memory.hold(bytes, async () => {
    // Exchange's sizes are estimates: what turns out much larger is asked for again, alone.
    const keepBytes = Math.min(mailLimitBytes, Math.max(groupBytes, largest * 2))
    const mails = isTooLarge ? session.beginnings(group) : session.mails(group, keepBytes)
    for await (const mail of mails) {
      if (!isTooLarge && mail.omittedBytes > 0) {
        again.push({ ...mail, sizeBytes: mail.raw.byteLength + mail.omittedBytes })
        taken.push(mail.uid)
        continue
      }
      try {
        const isSafe = await takeMail(mail, work)
        if (!isSafe) again.push(mail)
        taken.push(mail.uid)
      } catch (error) {
        failures.push({ uid: mail.uid, error })
      }
    }
  })

  const [failure] = failures
  if (failure && taken.length === 0 && failures.every(({ error }) => !isAboutTheMail(error)))
    throw failure.error
  for (const { uid, error } of failures) {
    log({ event: 'mail_not_stored', channelId: work.channel.id, uid, ...errorForLog(error) })
  }
  const missing = failures.map(({ uid }) => uid)
  for (const head of again) missing.push(...(await takeAgain(head, work)))
  const silent = group.filter(({ uid }) => !taken.includes(uid) && !missing.includes(uid))
  return [...missing, ...(await stillListed(silent, session))]
}

/** @returns false if it may be a copy beside a mail that is known: the server must be asked, which is busy now */
async function takeMail(mail: FetchedMail, work: GroupWork): Promise<boolean> {
  const { channel, folder, uidValidity, isRenumbered, services } = work
  const id = inboundId(channel.id, mailIdentity(mail))
  const known = await services.messages.find(id)
  const isElsewhere =
    known?.direction === 'inbound' &&
    known.folder === folder &&
    known.uidValidity === uidValidity &&
    known.uid !== mail.uid
  if (isElsewhere && mail.gmailId === null) return false
  await ingest(mail, { channel, folder, uidValidity, id, isRenumbered, services })
  return true
}

/** One mail by itself: larger than the server had said, or perhaps a second copy of one that is known. */
async function takeAgain(head: MailHead, work: GroupWork): Promise<number[]> {
  const { channel, folder, uidValidity, isRenumbered, session, services } = work
  const isTooLarge = head.sizeBytes > mailLimitBytes
  let isGiven = false
  let copyOf: number | undefined
  const place = { folder, uidValidity, uid: head.uid }
  const readOnce = (handle: (mail: FetchedMail) => Promise<void>) =>
    services.memory.hold(isTooLarge ? 0 : head.sizeBytes + overheadBytes, async () => {
      const mails = isTooLarge ? session.beginnings([head]) : session.mails([head], mailLimitBytes)
      for await (const mail of mails) {
        isGiven = true
        await handle(mail)
      }
    })
  await readOnce(async mail => {
    const known = await services.messages.find(inboundId(channel.id, mailIdentity(mail)))
    if (await takeMail(mail, work)) return
    copyOf = known?.direction === 'inbound' ? known.uid : undefined
  })
  if (copyOf !== undefined) {
    const original = await session.headsOf([copyOf])
    await readOnce(mail => {
      // Both lie there: two mails. Otherwise it was moved out and back, and was told before.
      const id = original.length > 0 ? copyId(channel.id, place) : inboundId(channel.id, mailIdentity(mail))
      return ingest(mail, { channel, folder, uidValidity, id, isRenumbered, services })
    })
  }
  return isGiven ? [] : stillListed([head], session)
}

/** Of the mails that were not given, those that were not expunged meanwhile. */
async function stillListed(heads: MailHead[], session: ImapSession): Promise<number[]> {
  return (await session.headsOf(heads.map(({ uid }) => uid))).map(({ uid }) => uid)
}

/** Tells the app about a mail that cannot be had, so that the mailbox goes on and nothing vanishes silently. */
export async function giveUp(head: MailHead, work: GroupWork): Promise<void> {
  const { channel, folder, uidValidity, services } = work
  const mail = { ...head, raw: new Uint8Array(), omittedBytes: head.sizeBytes }
  const id = copyId(channel.id, { folder, uidValidity, uid: head.uid })
  const fault = new PostroomError('mail_unavailable', { evidence: `UID ${head.uid}` })
  await ingest(mail, { channel, folder, uidValidity, id, isRenumbered: false, fault, services })
}

/** A store that refuses what it is given refuses this mail; our own mistakes are about this mail, too. */
function isAboutTheMail(error: unknown): boolean {
  if (asPostroomError(error).code === 'stored_item_invalid') return true
  const refusals = ['ValidationException', 'InvalidParameterException', 'InvalidParameter', 'EntityTooLarge']
  return (
    error instanceof TypeError ||
    error instanceof RangeError ||
    error instanceof SyntaxError ||
    (error instanceof Error && refusals.includes(error.name))
  )
}
