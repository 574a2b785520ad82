/** Every minute: mailboxes whose turn it is → their provider's poll queue; overdue outbox rows → doorbell; unannounced events → told. */

import { type AppBreaker, openAppBreaker } from '../channel/app-breaker.ts'
import { type Channels, channelDuePartition, openChannels } from '../channel/channels.ts'
import { channelHealth, eventLog, mainTable, queues, systemMetrics } from '../channel/clients.ts'
import { type ConnectSessions, openConnectSessions } from '../channel/connect-sessions.ts'
import { withoutWords } from '../channel/escaped-error.ts'
import type { Health } from '../channel/health.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { Metrics } from '../channel/metrics.ts'
import { type Outbox, openOutbox } from '../channel/outbox.ts'
import { openPollMarks } from '../channel/poll-marks.ts'
import type { PollBatch, Queues } from '../channel/queues.ts'
import { mailboxesPerBatch, openSlots, type Slot, type Slots } from '../channel/slots.ts'
import type { Table } from '../channel/table.ts'
import { openWebhooks, type Webhooks } from '../channel/webhooks.ts'
import { type KeepAlive, openKeepAlive } from './keep-alive.ts'
import { type Minutes, openMinutes } from './minutes.ts'
import { watchOutbox } from './outbox-watch.ts'
import { type PollingWatchServices, watchPolling } from './polling-watch.ts'

export interface ScheduleServices extends PollingWatchServices {
  main: Table
  minutes: Minutes
  slots: Slots
  outbox: Outbox
  channels: Channels
  sessions: ConnectSessions
  webhooks: Webhooks
  health: Health
  breaker: AppBreaker
  keepAlive: KeepAlive
  queues: Queues
  metrics: Metrics
  now(): number
}

/** Batches are spread over most of the minute, so that a provider sees a stream and not a burst. */
const spreadSeconds = 50
const dueLimit = 100
/** Keys only: one query's worth, for each of the outbox's shards. */
const resumeLimit = 1_000

// called by AWS
let services: ScheduleServices | undefined
export function handler(): Promise<void> {
  return withoutWords(async () => {
    services ??= buildServices()
    await schedule(services)
  })
}

// runs once, on cold start: the only place that reads the environment
function buildServices(): ScheduleServices {
  const main = mainTable()
  const channels = openChannels({ main })
  const now = Date.now
  const metrics = systemMetrics()
  const events = eventLog(main, metrics)
  const ringing = queues()
  return {
    main,
    events,
    pollMarks: openPollMarks({ main, events, now }),
    minutes: openMinutes({ main, now }),
    slots: openSlots({ main }),
    outbox: openOutbox({ main }),
    channels,
    sessions: openConnectSessions({ main, now }),
    health: channelHealth({ main, channels, events, queues: ringing }),
    breaker: openAppBreaker({ main, events, now }),
    keepAlive: openKeepAlive({ main, channels, now }),
    webhooks: openWebhooks({ main }),
    queues: ringing,
    metrics,
    now,
  }
}

// runs every minute; what fails in one part must not keep the others from their work
export async function schedule(services: ScheduleServices): Promise<void> {
  const parts = {
    poll: pollMailboxes,
    outbox: ringOverdue,
    apps: resumeApps,
    unused: lookAfterUnused,
    channels: attendChannels,
    sessions: expireUnconfirmed,
    webhooks: ringWebhooks,
  }
  const results = await Promise.allSettled(Object.values(parts).map(part => part(services)))
  const failed = results.filter(result => result.status === 'rejected')
  if (failed.length > 0) services.metrics.add('InternalFaults', failed.length)
  services.metrics.write()
  for (const { reason } of failed) log({ event: 'schedule_failed', ...errorForLog(reason) })
  if (failed.length > 0) throw failed[0]?.reason
}

/** Minutes that were missed are caught up; a minute dispatched twice polls twice, which is harmless. */
async function pollMailboxes(services: ScheduleServices): Promise<void> {
  const { minutes, queues } = services
  const due = await minutes.due()
  const slots = await services.slots.dueIn(due)
  const parts = [
    queues.poll(batchesOf(slots)).then(() => minutes.done(due)),
    watchPolling({ slots, isBack: due.length > 1 }, services),
  ]
  for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason
}

/**
 * Pure: each batch has one provider's mailboxes, so that a provider that throttles or hangs slows its own only. Each
 * provider's are spread over the minute.
 */
export function batchesOf(slots: Slot[]): PollBatch[] {
  return [...Map.groupBy(slots, ({ provider }) => provider)].flatMap(([provider, own]) => {
    const count = Math.ceil(own.length / mailboxesPerBatch)
    return Array.from({ length: count }, (_, index) => {
      const batch = own.slice(index * mailboxesPerBatch, (index + 1) * mailboxesPerBatch)
      return {
        provider,
        channelIds: batch.map(({ channelId }) => channelId),
        intervals: batch.map(({ intervalMinutes }) => intervalMinutes),
        delaySeconds: Math.floor((index * spreadSeconds) / count),
      }
    })
  })
}

/** Doorbells are hints that may be lost; this finds every row whose time has come. */
async function ringOverdue({ outbox, queues, metrics, now }: ScheduleServices): Promise<void> {
  const at = new Date(now()).toISOString()
  const channelIds = await outbox.dueChannels(at, dueLimit)
  const parts = [
    watchOutbox({ isAnyDue: channelIds.length > 0 }, { outbox, metrics, now }),
    eachAlone(channelIds, channelId => queues.ring(channelId)),
  ]
  for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason
}

/**
 * An OAuth app that works again: its mail waits for the next trial that there will not be, so it is rung for now.
 * What does not fit into one look comes when that time has come.
 */
async function resumeApps({ breaker, outbox, queues, metrics }: ScheduleServices): Promise<void> {
  const { refusedApps, recovered } = await breaker.standing()
  metrics.add('AppFaults', refusedApps)
  for (const app of recovered) {
    const channelIds = await outbox.dueChannels(new Date(app.waitsUntilMs).toISOString(), resumeLimit)
    await eachAlone(channelIds, channelId => queues.ring(channelId))
    await breaker.resumed(app)
  }
}

/** The next page of all channels, for `fetch` to look whose grant has gone unused; and, once a day, the OAuth apps. */
async function lookAfterUnused({ keepAlive, queues }: ScheduleServices): Promise<void> {
  const page = await keepAlive.next()
  if (!page) return
  if (page.isFirst) await queues.checkApps()
  if (page.channelIds.length > 0) await queues.keepAlive(page.channelIds)
  await keepAlive.done(page)
}

/** Deliveries that failed are tried again, and webhooks that rested are tried. */
async function ringWebhooks({ webhooks, queues, now }: ScheduleServices): Promise<void> {
  const due = await webhooks.due(new Date(now()).toISOString(), dueLimit)
  await eachAlone(due, webhookId => queues.notify(webhookId))
}

/** Tells what a crashed function decided but did not tell, reminds of what is broken, and says what is overdue. */
async function attendChannels({ main, channels, health, now }: ScheduleServices): Promise<void> {
  const keys = await main.due(channelDuePartition, `${new Date(now()).toISOString()}#\uffff`, dueLimit)
  const found = await channels.findMany(keys.map(key => key.pk.slice('CHANNEL#'.length)))
  await eachAlone(found, channel => health.attend(channel))
}

/** A grant nobody confirmed in time is nobody's: revoked and forgotten. */
async function expireUnconfirmed({ sessions, queues }: ScheduleServices): Promise<void> {
  for (const session of await sessions.unconfirmed(dueLimit)) {
    const { id, accountId, provider, candidate, expiresAtMs } = session
    // The queue first: a crash between the two only forgets twice; a grant that is in use is never forgotten.
    if (candidate) {
      const { grantId, channelId, identity } = candidate
      // Google withdraws all that a person gave the app: what is to be reconnected may still stand on it.
      const revoke = session.channelId === null
      await queues.forget({ grantId, accountId, channelId, provider, identity, revoke })
    }
    await sessions.move(
      id,
      { states: ['awaiting_confirmation'], equals: { expiresAtMs } },
      { state: 'expired' },
    )
  }
}

/** One that fails keeps none of the others from its turn; the first failure is reported at the end. */
async function eachAlone<T>(things: T[], work: (thing: T) => Promise<unknown>): Promise<void> {
  const results = await Promise.allSettled(things.map(work))
  const failed = results.find(result => result.status === 'rejected')
  if (failed) throw failed.reason
}
