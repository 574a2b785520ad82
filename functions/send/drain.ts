/** Drains one channel: everything that is due, in order of acceptance, over one SMTP session. */

import { mayUse } from '../channel/access.ts'
import { isAppFault } from '../channel/app-breaker.ts'
import { restsUntil } from '../channel/channel-health.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError } from '../channel/faults.ts'
import type { Health } from '../channel/health.ts'
import { randomId } from '../channel/identifiers.ts'
import { leaseKeys, takeLease } from '../channel/lease.ts'
import { finalStates, type Message, type OutboundMessage } from '../channel/messages.ts'
import type { Outbox, OutboxRow } from '../channel/outbox.ts'
import { type Providers, providerOf } from '../channel/provider.ts'
import { settleRefusal } from '../channel/recheck.ts'
import { openSmtp, type SmtpSession } from '../channel/smtp.ts'
import type { Table } from '../channel/table.ts'
import type { Tokens } from '../channel/tokens.ts'
import {
  cancel,
  type DeliveryServices,
  deliver,
  expire,
  holdBack,
  park,
  postpone,
  settle,
  settleUnfinished,
} from './deliver.ts'

export interface DrainServices extends DeliveryServices {
  main: Table
  channels: Channels
  outbox: Outbox
  tokens: Tokens
  providers: Providers
  health: Health
}

/** One look at the outbox takes up to this many rows. */
const rowsPerLook = 50
/** No delivery begins with less time than this left; `schedule` rings again for what remains. */
const reserveMs = 60_000
/** A pointer whose message never came is cleared after this long: its accept has failed. */
const orphanMs = 5 * 60_000

export async function drain(
  channelId: string,
  { services, deadlineMs }: { services: DrainServices; deadlineMs: number },
): Promise<void> {
  const lease = await takeLease(leaseKeys.outbox(channelId), randomId('drain'), services)
  if (!lease) return
  try {
    do await drainOnce(channelId, { services, deadlineMs })
    while (!(await lease.release()))
  } catch (error) {
    lease.abandon()
    throw error
  }
}

async function drainOnce(
  channelId: string,
  { services, deadlineMs }: { services: DrainServices; deadlineMs: number },
): Promise<void> {
  const channel = await services.channels.find(channelId)
  if (!channel) return
  const ready = await readyMessages(channel, services)
  if (ready.length === 0) return
  if (channel.disconnectedAt !== null) {
    for (const { row, message } of ready) await cancel(message, row, { channel, services })
    return
  }
  if (!mayUse(channel, 'smtp')) {
    for (const { row, message } of ready) await park(message, row, { channel, services })
    return
  }
  const until = restsUntil(channel, 'smtp', services.now())
  if (until !== null) {
    for (const { row } of ready) await services.outbox.postpone(row, until)
    return
  }
  await deliverAll(channel, ready, { services, deadlineMs })
}

interface Ready {
  row: OutboxRow
  message: OutboundMessage
}

/** The next messages to deliver, in order. What waits for its time is passed over, however much of it there is. */
async function readyMessages(channel: Channel, services: DrainServices): Promise<Ready[]> {
  const ready: Ready[] = []
  let last: OutboxRow | undefined
  do {
    const rows = await services.outbox.rows(channel.id, rowsPerLook, last)
    const messages = await Promise.all(rows.map(({ id }) => services.messages.find(id)))
    for (const [index, row] of rows.entries()) {
      const message = await readyMessage(row, messages[index], { channel, services })
      if (message) ready.push({ row, message })
    }
    last = rows.length === rowsPerLook ? rows.at(-1) : undefined
  } while (last && ready.length < rowsPerLook)
  return ready
}

/** Clears away what is done, settles what a dead drain left; gives what is to be delivered now. */
async function readyMessage(
  row: OutboxRow,
  message: Message | undefined,
  { channel, services }: { channel: Channel; services: DrainServices },
): Promise<OutboundMessage | undefined> {
  const { outbox, now } = services
  const at = new Date(now()).toISOString()
  if (message?.direction !== 'outbound') {
    const acceptedAtMs = Date.parse(row.key.sk.slice(0, row.key.sk.indexOf('#')))
    if (now() - acceptedAtMs > orphanMs) await outbox.clear(row)
    return undefined
  }
  if (finalStates.includes(message.state)) await settle(message, row, { channel, services })
  // We hold the lease, so whoever was sending this is dead, and the body may have arrived.
  else if (message.state === 'sending' && message.bodyStarted) {
    await settleUnfinished(message, row, { channel, services })
  } else if (message.expiresAt <= at) await expire(message, row, { channel, services })
  else if (isDue(message, at) || channel.disconnectedAt !== null) return message
  return undefined
}

function isDue(message: OutboundMessage, at: string): boolean {
  const notBefore = message.state === 'retrying' ? message.nextAttemptAt : message.sendAt
  return notBefore === null || notBefore <= at
}

async function deliverAll(
  channel: Channel,
  ready: Ready[],
  { services, deadlineMs }: { services: DrainServices; deadlineMs: number },
): Promise<void> {
  const { health, now } = services
  let session: SmtpSession | undefined
  try {
    session = await openSession(channel, services)
    for (const { row, message } of ready) {
      if (deadlineMs - now() < reserveMs) return
      await deliver(message, row, { channel, session, services })
    }
    await health.succeeded(channel, 'smtp')
  } catch (thrown) {
    const error = asPostroomError(thrown)
    // Our own trouble, with AWS for one, says nothing about the mailbox.
    if (error.code === 'internal') throw error
    const open = await stillOpen(ready, services)
    // Nobody's mail is lost to a fault that is not its own: it parks for a person, or waits for the time.
    if (isAppFault(error)) {
      // One trouble of the operator's marks no mailbox.
      const until = new Date(now() + (error.retryAfterMs ?? 0)).toISOString()
      for (const { row, message } of open) await holdBack(message, row, { error, until, services })
      return
    }
    const stopped = await health.failed(channel, 'smtp', error)
    if (mayUse(stopped, 'smtp')) {
      const until = restsUntil(stopped, 'smtp', now())
      for (const { row, message } of open) await postpone(message, row, { error, until, services })
    } else {
      for (const { row, message } of open) await park(message, row, { channel: stopped, services })
    }
  } finally {
    session?.close()
  }
}

/**
 * A refused login is looked into before it counts: with a fresh token, under the names a fresh id_token
 * gives. So a renamed or wrongly stored login heals by itself (rows S8, S9).
 */
async function openSession(channel: Channel, services: DrainServices): Promise<SmtpSession> {
  const { tokens, providers } = services
  const { smtp: server } = providerOf(providers, channel.provider)
  const accessToken = await tokens.accessToken(channel)
  try {
    return await openSmtp({ server, user: channel.login.smtp, accessToken })
  } catch (error) {
    const refusal = asPostroomError(error)
    const healed = await settleRefusal(channel, { protocol: 'smtp', refusal }, services)
    return openSmtp({ server, user: healed.login.smtp, accessToken: await tokens.accessToken(healed) })
  }
}

/**
 * What still waits in the outbox. A message that is `sending` is not ours to touch: either this drain has
 * dealt with it, or another one that took over our lease is at it now.
 */
async function stillOpen(ready: Ready[], { messages }: DrainServices): Promise<Ready[]> {
  const latest = await Promise.all(ready.map(({ message }) => messages.find(message.id)))
  return ready.flatMap(({ row }, index) => {
    const message = latest[index]
    const waits = message?.direction === 'outbound' && waitingStates.includes(message.state)
    return waits ? [{ row, message }] : []
  })
}

const waitingStates: readonly string[] = ['queued', 'retrying', 'parked']
