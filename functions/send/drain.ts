/** Drains one channel: everything that is due, in order of acceptance, over one SMTP session, at its provider's pace. */

import { mayUse } from '../channel/access.ts'
import { isAppFault, isOurs } from '../channel/app-faults.ts'
import { restsUntil } from '../channel/channel-health.ts'
import type { Channel } from '../channel/channels.ts'
import { asPostroomError, type PostroomError } from '../channel/faults.ts'
import { randomId } from '../channel/identifiers.ts'
import { type Lease, leaseKeys, takeLease } from '../channel/lease.ts'
import type { OutboundMessage } from '../channel/messages.ts'
import type { Outbox, OutboxRow } from '../channel/outbox.ts'
import { providerOf } from '../channel/provider.ts'
import { isToBeSought } from '../channel/restored.ts'
import type { Table } from '../channel/table.ts'
import { type Delivered, deliver } from './deliver.ts'
import { type MailboxPace, openMailboxPace } from './mailbox-pace.ts'
import { openRow } from './open-row.ts'
import { type Look, lookIntoSent, needsCopy, type SentLookServices } from './sent-look.ts'
import { cancel, hold, type Place, park, waitForChannel } from './settle.ts'
import { type LineServices, openLine } from './smtp-line.ts'

export interface DrainServices extends SentLookServices, LineServices {
  main: Table
  sleep(ms: number): Promise<void>
}

interface Drain {
  lease: Lease
  services: DrainServices
  /** When the function is ended, whatever it is doing. */
  deadlineMs: number
}

/** One look at the outbox takes up to this many rows; what cannot be sent is dealt with in portions of this size. */
const rowsPerLook = 100
const heldPerLook = 50
/** Nothing begins with less time than this left; `schedule` rings again for what remains. */
const reserveMs = 60_000
/** What is written after the last answer of a server must be written before the function is ended. */
const writingMs = 15_000
/** A longer wait for the pace, or for a connection that other channels hold, is not worth an idle function: `schedule` rings again every minute. */
const longestSleepMs = 10_000
/** Where the channel itself need not rest. */
const shortRestMs = 10_000

export async function drain(
  channelId: string,
  { services, deadlineMs }: Pick<Drain, 'services' | 'deadlineMs'>,
): Promise<void> {
  const lease = await takeLease(leaseKeys.outbox(channelId), randomId('drain'), services)
  if (!lease) return
  try {
    do while (await drainOnce(channelId, { lease, services, deadlineMs }));
    while (!(await lease.release()))
  } catch (error) {
    lease.abandon()
    throw error
  }
}

/** @returns whether something may be to be sent that this pass has gone by */
async function drainOnce(channelId: string, drain: Drain): Promise<boolean> {
  const { lease, services } = drain
  const channel = await services.channels.find(channelId)
  if (!channel) return false
  const place = { channel, lease, services }
  const looks: Look[] = []
  const isCutShort = await sendDue(looks, { ...drain, ...place })
  const mayGoOn = async () => hasTime(drain) && (await lease.keep())
  const isAnySentAgain = looks.length > 0 && (await lookIntoSent(looks, { ...place, mayGoOn }))
  return isCutShort || isAnySentAgain
}

/**
 * @returns whether another has moved a message just when it was to leave: an app, or a drain that has lost this lease.
 *   Those behind it would overtake it, where it still waits; the next pass sees what it has become.
 */
async function sendDue(looks: Look[], pass: Drain & { channel: Channel }): Promise<boolean> {
  const { channel, lease, services, deadlineMs } = pass
  const provider = providerOf(services.providers, channel.provider)
  const line = openLine(channel, services)
  const { main, now } = services
  const pace = openMailboxPace(channel, {
    main,
    now,
    limits: provider.limits,
    untilMs: deadlineMs,
    note: lease.note,
  })
  lease.leave(pace.seen)
  let place: Place = { channel, lease, services }
  let mode = modeOf(channel, now())
  let held = 0

  const attempt = async (message: OutboundMessage, row: OutboxRow): Promise<Delivered> => {
    try {
      const session = await line.session()
      const limitMs = deadlineMs - now() - writingMs
      const delivery = { session, limitMs, needsCopy: needsCopy(channel, provider) }
      return await deliver(message, row, { ...place, ...delivery })
    } catch (thrown) {
      return { session: 'broken', error: asPostroomError(thrown), open: message }
    }
  }

  try {
    for await (const row of rowsOf(channel.id, services.outbox)) {
      if (!concerns(row, mode, now())) continue
      const message = await openRow(row, { ...place, looks })
      if (!message) continue
      if (mode.is !== 'sending') {
        await keepBack(message, row, { mode, place })
        if (++held >= heldPerLook) return false
        continue
      }
      if (isToBeSought(message, services.restored ?? null)) {
        looks.push({ row, message })
        continue
      }
      if (!(await mayDeliver(pass, pace))) return false
      let delivered = await attempt(message, row)
      if (delivered.session === 'broken' && delivered.open && line.isWorn(delivered.error)) {
        line.drop()
        delivered = await attempt(delivered.open, row)
      }
      if (delivered.session === 'usable') line.used()
      else line.drop()
      if (delivered.session === 'closed' && delivered.isLost) return true
      if (delivered.session !== 'broken') continue
      ;({ mode, place } = await modeAfter(delivered.error, { ...pass, place, pace }))
      if (delivered.open) await keepBack(delivered.open, row, { mode, place })
    }
    if (mode.is === 'sending' && line.wasUsed()) await services.health.succeeded(channel, 'smtp')
    return false
  } finally {
    line.drop()
    // What is not given back comes free by itself, once this drain's time is over.
    await pace.release().catch(() => undefined)
  }
}

async function* rowsOf(channelId: string, outbox: Outbox): AsyncGenerator<OutboxRow> {
  let rows: OutboxRow[] = []
  do {
    rows = await outbox.rows(channelId, rowsPerLook, rows.at(-1))
    yield* rows
  } while (rows.length === rowsPerLook)
}

/** What a drain does with messages that wait: send them, or keep them back for a reason that is the channel's. */
type Mode =
  | { is: 'sending' }
  | { is: 'cancelling' }
  | { is: 'parking' }
  | { is: 'resting'; until: string }
  | { is: 'waiting'; until: string; error: PostroomError }

function modeOf(channel: Channel, nowMs: number): Mode {
  if (channel.disconnectedAt !== null) return { is: 'cancelling' }
  if (!mayUse(channel, 'smtp')) return { is: 'parking' }
  const until = restsUntil(channel, 'smtp', nowMs)
  return until === null ? { is: 'sending' } : { is: 'resting', until }
}

/** Rows for later are gone by without a look at their messages, however many they are. */
function concerns(row: OutboxRow, mode: Mode, nowMs: number): boolean {
  if (mode.is === 'cancelling') return true
  return row.dueAt <= new Date(nowMs).toISOString() || (row.waitsForChannel && mode.is === 'sending')
}

async function keepBack(
  message: OutboundMessage,
  row: OutboxRow,
  { mode, place }: { mode: Mode; place: Place },
): Promise<void> {
  if (mode.is === 'cancelling') await cancel(message, row, place)
  else if (mode.is === 'parking') await park(message, row, place)
  else if (mode.is === 'resting') await hold(message, row, { until: mode.until, ...place })
  else if (mode.is === 'waiting')
    await waitForChannel(message, row, { until: mode.until, error: mode.error, ...place })
}

/** The lease, the time left and the provider's pace must all allow it. */
async function mayDeliver({ lease, services, ...pass }: Drain, pace: MailboxPace): Promise<boolean> {
  for (;;) {
    if (!hasTime({ services, ...pass }) || !(await lease.keep())) return false
    const waitMs = await pace.take()
    if (waitMs === 0) return true
    if (waitMs > longestSleepMs) return false
    await services.sleep(waitMs)
  }
}

function hasTime({ deadlineMs, services }: Pick<Drain, 'deadlineMs' | 'services'>): boolean {
  return deadlineMs - services.now() >= reserveMs
}

interface Fault extends Drain {
  channel: Channel
  place: Place
  pace: MailboxPace
}

/**
 * Nobody's mail is lost to a fault that is not its own: it parks for a person, or waits for the time.
 * @throws the error itself if it is our own trouble, with AWS for one, which says nothing about the mailbox
 */
async function modeAfter(
  error: PostroomError,
  { channel, place, pace, services }: Fault,
): Promise<{ mode: Mode; place: Place }> {
  const { health, metrics, now } = services
  if (error.code === 'internal') throw error
  if (isOurs(error)) metrics.add('InternalFaults')
  if (error.row.action === 'wait') await pace.slowDown()
  if (isAppFault(error)) {
    // One trouble of the operator's marks no mailbox.
    const until = new Date(now() + (error.retryAfterMs ?? 0)).toISOString()
    return { mode: { is: 'waiting', until, error }, place }
  }
  const stopped = await health.failed(channel, 'smtp', error)
  const ofChannel = { ...place, channel: stopped }
  if (!mayUse(stopped, 'smtp')) return { mode: { is: 'parking' }, place: ofChannel }
  const until = restsUntil(stopped, 'smtp', now()) ?? new Date(now() + shortRestMs).toISOString()
  return { mode: { is: 'waiting', until, error }, place: ofChannel }
}
