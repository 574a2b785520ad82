/**
 * Looks into Sent: what became of an uncertain message, whether one has left already that restored tables hold as waiting,
 * and whether a sent one has its copy where its owner looks.
 */

import { mayUse } from '../channel/access.ts'
import { restsUntil } from '../channel/channel-health.ts'
import type { Channel } from '../channel/channels.ts'
import { asPostroomError, describeFault, type FaultCode, faults, PostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { OutboundMessage } from '../channel/messages.ts'
import type { Metrics } from '../channel/metrics.ts'
import type { OutboxRow } from '../channel/outbox.ts'
import { type ProviderEntry, type Providers, providerOf } from '../channel/provider.ts'
import { maySendUnfound, type Restored } from '../channel/restored.ts'
import type { OpenSentFolder, SentFolder } from '../channel/sent-folder.ts'
import type { Tokens } from '../channel/tokens.ts'
import { type DeliveryServices, finish, move, type Place, putOff } from './settle.ts'

export interface Look {
  row: OutboxRow
  message: OutboundMessage
}

export interface SentLookServices extends DeliveryServices {
  tokens: Tokens
  providers: Providers
  health: Health
  openSent: OpenSentFolder
  metrics: Metrics
  /** Set while tables are restored ones. */
  restored?: Restored | null
}

interface LookPlace extends Place {
  services: SentLookServices
  /** To be asked before each look and each copy: whether the lease is still ours, and there is time. */
  mayGoOn(): Promise<boolean>
}

/** From the fault to the first look, and from each look to the next: providers file their copy with a delay. */
const outcomeWaitsMs = [30_000, 120_000, 600_000]
/** After the first failure to put a copy there, and so on; then it is left without. */
const copyWaitsMs = [60_000, 300_000, 1_800_000, 3 * 3_600_000, 12 * 3_600_000]
/** Where the folder cannot be looked into for now. */
const unreachableWaitMs = 10 * 60_000

export const firstOutcomeLookMs = outcomeWaitsMs[0] ?? 0
/** Some tenants file a copy of what is sent as a shared mailbox by themselves: theirs comes first. */
export const firstCopyLookMs = copyWaitsMs[0] ?? 0

/**
 * Microsoft and Gmail file what a mailbox sends. What is sent as a shared mailbox they file with the person
 * who sent it, not where its team looks.
 * @see https://learn.microsoft.com/exchange/recipients-in-exchange-online/manage-user-mailboxes/automatically-save-sent-items-in-delegator-s-mailbox
 */
export function needsCopy(channel: Channel, provider: ProviderEntry): boolean {
  return channel.sharedMailbox !== null || !provider.savesSentCopies
}

/**
 * Stops where it may not go on; what is left stays due, and is the next drain's.
 * @returns whether a message is to be sent again now, because its app asked for that
 */
export async function lookIntoSent(looks: Look[], place: LookPlace): Promise<boolean> {
  const folders = openFolders(place)
  let isAnySentAgain = false
  try {
    for (const look of looks) {
      if (!(await place.mayGoOn())) return false
      if (look.message.state === 'sent') await fileCopy(look, { ...place, folders })
      else isAnySentAgain = (await findOutcome(look, { ...place, folders })) || isAnySentAgain
    }
  } finally {
    await folders.close()
  }
  return isAnySentAgain
}

interface Folders {
  of(user: string): Promise<SentFolder>
  close(): Promise<void>
}

/** One session for all messages of this look. */
function openFolders({ channel, services }: LookPlace): Folders {
  const opened = new Map<string, Promise<SentFolder>>()
  const open = async (user: string) =>
    services.openSent({
      server: providerOf(services.providers, channel.provider).imap,
      user,
      accessToken: await services.tokens.accessToken(channel),
    })
  return {
    of(user) {
      const folder = opened.get(user) ?? open(user)
      opened.set(user, folder)
      return folder
    },
    async close() {
      for (const folder of opened.values()) await folder.then(sent => sent.close()).catch(() => undefined)
    },
  }
}

async function findOutcome(look: Look, place: LookPlace & { folders: Folders }): Promise<boolean> {
  const { channel, services, folders } = place
  const { message, row } = look
  const provider = providerOf(services.providers, channel.provider)
  const isOver = message.expiresAt <= new Date(services.now()).toISOString()
  // A provider that files no copies leaves nothing to find.
  if (!provider.savesSentCopies) return decide(look, place)
  const peaceMs = peaceLeftMs(channel, services.now())
  if (!mayUse(channel, 'imap') || peaceMs > 0)
    return isOver ? decide(look, place) : comeBack(look, place, peaceMs)
  const { imap, smtp } = channel.login
  try {
    // As a shared mailbox: filed with the person who sent it, unless the tenant is set otherwise.
    for (const user of new Set(channel.sharedMailbox === null ? [imap] : [smtp, imap])) {
      const found = await (await folders.of(user)).find(message)
      if (!found) continue
      const copyAt = new Date(services.now() + firstCopyLookMs).toISOString()
      const change: Partial<OutboundMessage> = {
        state: 'sent',
        fault: null,
        sentAt: new Date(services.now()).toISOString(),
        providerMessageId: found.messageId === message.messageId ? null : found.messageId,
        sentLook: needsCopy(channel, provider) ? { tries: 0, at: copyAt } : null,
      }
      await finish(message, row, { ...place, change })
      return false
    }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.code === 'internal') throw thrown
    await leaveInPeace(error, place)
    return isOver ? decide(look, place) : comeBack(look, place, error.retryAfterMs)
  }
  // It has been there for long, if it has ever left.
  if (message.state !== 'uncertain') return goOn(look, place)
  const tries = (message.sentLook?.tries ?? 0) + 1
  const waitMs = outcomeWaitsMs[tries]
  if (waitMs === undefined) return decide(look, place)
  await again(look, { tries, waitMs }, place)
  return false
}

/** It waits as the restored tables say, and is not in Sent: it has not left yet. @returns whether it is to be sent now */
async function goOn({ message, row }: Look, place: LookPlace): Promise<boolean> {
  const { restored } = place.services
  if (!restored) return false
  if (maySendUnfound(message, restored))
    return (await move(message, { soughtAfter: restored.at }, place)) !== undefined
  await leaveToApp({ message, row }, place)
  return false
}

async function leaveToApp({ message, row }: Look, place: LookPlace): Promise<void> {
  const fault = describeFault(new PostroomError('outcome_unknown'))
  const change = {
    state: 'uncertain' as const,
    fault,
    sentLook: null,
    soughtAfter: place.services.restored?.at,
  }
  await finish(message, row, { ...place, change })
  noteUnknown(message, place)
}

/** Once for each message, when nothing is left to be looked into. */
function noteUnknown({ id, channelId }: OutboundMessage, { services }: LookPlace): void {
  services.metrics.add('MessagesUncertain')
  log({ event: 'outcome_unknown', channelId, messageId: id })
}

/** All was looked at and nothing found. The app chose what then. */
async function decide({ message, row }: Look, place: LookPlace): Promise<boolean> {
  const { services, channel } = place
  // After a restore nothing speaks against its having left, where there are no copies to look for.
  if (message.state !== 'uncertain') {
    await leaveToApp({ message, row }, place)
    return false
  }
  const isOver = message.expiresAt <= new Date(services.now()).toISOString()
  if (message.onUncertain === 'resend' && !isOver && channel.disconnectedAt === null) {
    return (
      (await move(message, { state: 'queued', sentLook: null, nextAttemptAt: null }, place)) !== undefined
    )
  }
  // It stays uncertain, which was told when it became so.
  if (await move(message, { sentLook: null }, place)) {
    await services.outbox.clear(row)
    noteUnknown(message, place)
  }
  return false
}

async function fileCopy(look: Look, place: LookPlace & { folders: Folders }): Promise<void> {
  const { channel, services, folders } = place
  const { message, row } = look
  const peaceMs = peaceLeftMs(channel, services.now())
  if (peaceMs > 0) return again(look, { tries: message.sentLook?.tries ?? 0, waitMs: peaceMs }, place)
  try {
    if (!mayUse(channel, 'imap')) throw new Error('reading is not possible for now')
    const folder = await folders.of(channel.login.imap)
    if (!(await folder.find(message))) {
      const raw = await services.mail.read(message.rawKey)
      // A server may have kept us waiting until another drain has looked, and filed it.
      if (!(await place.mayGoOn())) return
      if (raw) await folder.append(raw, new Date(message.sentAt ?? services.now()))
    }
  } catch (thrown) {
    const error = asPostroomError(thrown)
    await leaveInPeace(error, place)
    const { retryAfterMs = 0 } = error
    const tries = (message.sentLook?.tries ?? 0) + 1
    const waitMs = copyWaitsMs[tries]
    if (waitMs !== undefined) return again(look, { tries, waitMs: Math.max(waitMs, retryAfterMs) }, place)
    log({ event: 'sent_copy_given_up', messageId: message.id, ...errorForLog(error) })
  }
  if (await move(message, { sentLook: null }, place)) await services.outbox.clear(row)
}

/** How long the provider still wants the mailbox left alone, by whatever it has told a poll or a look. */
function peaceLeftMs(channel: Channel, nowMs: number): number {
  const code = channel.imapTrouble?.fault.code ?? ''
  const until = restsUntil(channel, 'imap', nowMs)
  const isAsked = Object.hasOwn(faults, code) && faults[code as FaultCode].action === 'wait'
  return isAsked && until !== null ? Date.parse(until) - nowMs : 0
}

/** What throttles a look throttles the mailbox: polls rest as well. Whatever else is in the way, a poll finds by itself. */
async function leaveInPeace(error: PostroomError, { channel, services }: LookPlace): Promise<void> {
  if (error.row.action === 'wait') await services.health.failed(channel, 'imap', error)
}

async function again(
  { message, row }: Look,
  { tries, waitMs }: { tries: number; waitMs: number },
  place: LookPlace,
): Promise<void> {
  const sentLook = { tries, at: new Date(place.services.now() + waitMs).toISOString() }
  if (await move(message, { sentLook }, place)) await place.services.outbox.postpone(row, sentLook.at)
}

/** A look that could not be made does not count. */
async function comeBack({ message, row }: Look, { services }: LookPlace, askedWaitMs = 0): Promise<false> {
  const waitMs = Math.max(unreachableWaitMs, askedWaitMs)
  await putOff(message, row, { until: new Date(services.now() + waitMs).toISOString(), services })
  return false
}
