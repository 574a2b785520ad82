/**
 * Many mailboxes on a simulated clock: the deployed code decides who is polled when (slots, minutes, batches), where a
 * mailbox moves (poll interval, back-off) and which outbox rows are rung for. IMAP, SMTP, SQS and the tables' servers are
 * played. In the middle one provider, which has 70 of 100 mailboxes, is away.
 */

import { openAppBreaker } from '../../functions/channel/app-breaker.ts'
import { backOffMs } from '../../functions/channel/back-off.ts'
import { openChannels } from '../../functions/channel/channels.ts'
import { openConnectSessions } from '../../functions/channel/connect-sessions.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { OutboundMessage } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { pollInterval } from '../../functions/channel/poll-interval.ts'
import type { PollBatch } from '../../functions/channel/queues.ts'
import { openSlots } from '../../functions/channel/slots.ts'
import { openWebhooks } from '../../functions/channel/webhooks.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { type ScheduleServices, schedule } from '../../functions/schedule/schedule.ts'
import { type Meter, openMeteredTable } from './metered-table.ts'
import { seeded } from './random.ts'

export interface Simulation {
  mailboxes: number
  minutes: number
  /** The provider is away from the one minute until the other. */
  outage: { from: number; until: number }
  baseMinutes: number
  progress?(line: string): void
}

interface MinuteOf {
  polls: number
  batches: number
  /** Slots that moved. */
  moves: number
  /** Messages whose time has come and that wait, at the end of the minute. */
  waiting: number
  rings: number
}

export interface Simulated {
  minutes: MinuteOf[]
  meter: Meter
  /** By how much each poll came later than its interval after the one before, at rest: ms, ascending. */
  lateMs: number[]
  /** Mailboxes that were not polled within their interval and two minutes before the end. */
  forgotten: number
  messages: { accepted: number; sent: number }
}

const minuteMs = 60_000
const hourMs = 60 * minuteMs
/** An invocation of `send` takes ten doorbells, one after the other, at about a second each. */
const drainSpreadMs = 10_000
const start = Date.UTC(2026, 0, 5)
/** One message a mailbox and working day of eight hours. */
const messagesPerMailboxMinute = 1 / 480

/** Shares of mailboxes and how often each gets mail: talking, daily, weekly, quiet. */
const kinds = [
  { share: 0.1, mailEveryMs: 10 * minuteMs },
  { share: 0.5, mailEveryMs: 8 * hourMs },
  { share: 0.3, mailEveryMs: 96 * hourMs },
  { share: 0.1, mailEveryMs: Number.POSITIVE_INFINITY },
]

interface Mailbox {
  id: string
  provider: string
  mailEveryMs: number
  lastMailMs: number
  lastPollMs: number
  intervalMinutes: number
  /** Of the interval it had before, if it moved at its last poll. */
  hasMoved: boolean
  failures: number
  restsUntilMs: number
}

export async function simulate(options: Simulation): Promise<Simulated> {
  const random = seeded(options.mailboxes)
  let nowMs = start
  const now = () => nowMs
  const { table: main, meter } = openMeteredTable(now)
  const slots = openSlots({ main })
  const outbox = openOutbox({ main })
  const channels = openChannels({ main })
  const rings: string[] = []
  const batches: PollBatch[] = []
  const services = {
    main,
    slots,
    outbox,
    channels,
    minutes: openMinutes({ main, now }),
    sessions: openConnectSessions({ main, now }),
    webhooks: openWebhooks({ main }),
    keepAlive: openKeepAlive({ main, channels, now }),
    // Nothing that it would tell of happens here.
    breaker: openAppBreaker({ main, now } as Parameters<typeof openAppBreaker>[0]),
    pollMarks: { polled: async () => {}, await: async () => {}, waiting: async () => new Map() },
    metrics: { add() {}, write() {} },
    queues: {
      poll: async (found: PollBatch[]) => void batches.push(...found),
      ring: async (channelId: string) => void rings.push(channelId),
      keepAlive: async () => {},
      checkApps: async () => {},
    },
    now,
  } as unknown as ScheduleServices

  const all = new Map<string, Mailbox>()
  for (const box of population(options, random)) {
    all.set(box.id, box)
    await slots.put({ channelId: box.id, provider: box.provider, intervalMinutes: box.intervalMinutes })
    if (all.size % 100_000 === 0) options.progress?.(`${all.size} mailboxes in their slots`)
  }
  const ids = [...all.keys()]
  // What it takes to connect them all is not what is measured.
  Object.assign(meter, {
    readUnits: 0,
    writeUnits: 0,
    hottestReads: { units: 0, partition: '' },
    hottestWrites: { units: 0, partition: '' },
  })

  const result: Simulated = {
    minutes: [],
    meter,
    lateMs: [],
    forgotten: 0,
    messages: { accepted: 0, sent: 0 },
  }
  const waiting = new Set<string>()
  const failures = new Map<string, number>()
  let isAway = false
  const away = (box: Mailbox) => isAway && box.provider === 'microsoft'

  for (let minute = 0; minute < options.minutes; minute++) {
    isAway = minute >= options.outage.from && minute < options.outage.until
    const minuteStart = start + minute * minuteMs
    nowMs = minuteStart
    const of: MinuteOf = { polls: 0, batches: 0, moves: 0, waiting: 0, rings: 0 }
    await schedule(services)
    of.batches = batches.length
    of.rings = rings.length

    const rung = rings.splice(0)
    for (const [index, channelId] of rung.entries()) {
      nowMs = minuteStart + Math.floor((index * drainSpreadMs) / rung.length)
      await drain(channelId)
    }
    for (const batch of batches.splice(0).sort((a, b) => a.delaySeconds - b.delaySeconds)) {
      nowMs = minuteStart + batch.delaySeconds * 1000
      for (const channelId of batch.channelIds) {
        of.polls++
        if (await poll(all.get(channelId))) of.moves++
      }
    }
    await acceptMessages(minute, minuteStart)
    of.waiting = waiting.size
    result.minutes.push(of)
    options.progress?.(
      `minute ${minute + 1} of ${options.minutes}: ${of.polls} polls, ${of.moves} moves, ${of.waiting} messages wait${isAway ? ', outage' : ''}`,
    )
  }

  for (const box of all.values()) {
    const restedMs = Math.max(0, box.restsUntilMs - box.lastPollMs)
    if (nowMs - box.lastPollMs > restedMs + (box.intervalMinutes + 2) * minuteMs) result.forgotten++
  }
  result.lateMs.sort((a, b) => a - b)
  return result

  /** @returns whether its slot moved */
  async function poll(box: Mailbox | undefined): Promise<boolean> {
    if (!box) return false
    const isResting = box.restsUntilMs > nowMs
    if (box.lastPollMs > start && !box.hasMoved)
      result.lateMs.push(Math.max(0, nowMs - box.lastPollMs - box.intervalMinutes * minuteMs))
    if (!isResting && away(box)) {
      box.failures++
      box.restsUntilMs = nowMs + backOffMs(new PostroomError('imap_unreachable'), box.failures, random)
    } else if (!isResting) {
      const chance = 1 - Math.exp(-(nowMs - box.lastPollMs) / box.mailEveryMs)
      if (random() < chance) box.lastMailMs = nowMs
      box.failures = 0
      box.restsUntilMs = 0
    }
    box.lastPollMs = nowMs
    const wanted = pollInterval({
      channel: {
        auth: { state: 'connected', since: new Date(start).toISOString(), fault: null },
        connectedAt: new Date(box.lastMailMs).toISOString(),
        disconnectedAt: null,
        lastActiveAt: new Date(box.lastMailMs).toISOString(),
        nextProbeAt: null,
        imapTrouble: box.restsUntilMs > nowMs ? { until: new Date(box.restsUntilMs).toISOString() } : null,
      } as Parameters<typeof pollInterval>[0]['channel'],
      baseMinutes: options.baseMinutes,
      hasMore: false,
      now: nowMs,
    })
    box.hasMoved = wanted !== box.intervalMinutes
    if (!box.hasMoved) return false
    box.intervalMinutes = wanted
    await slots.put({ channelId: box.id, provider: box.provider, intervalMinutes: wanted })
    return true
  }

  /** Everything of one channel that is due: sent, or put off while its provider is away. */
  async function drain(channelId: string): Promise<void> {
    const box = all.get(channelId)
    if (!box) return
    for (const row of await outbox.rows(channelId, 100)) {
      if (Date.parse(row.dueAt) > nowMs) continue
      if (away(box)) {
        const count = (failures.get(row.id) ?? 0) + 1
        failures.set(row.id, count)
        const restMs = backOffMs(new PostroomError('smtp_unreachable'), count, random)
        await outbox.postpone(row, new Date(nowMs + restMs).toISOString())
      } else {
        await outbox.clear(row)
        failures.delete(row.id)
        waiting.delete(row.id)
        result.messages.sent++
      }
    }
  }

  /** Evenly over the minute; the doorbell rings at once. */
  async function acceptMessages(minute: number, minuteStart: number): Promise<void> {
    const count = Math.round(options.mailboxes * messagesPerMailboxMinute)
    for (let index = 0; index < count; index++) {
      nowMs = minuteStart + Math.floor((index * minuteMs) / count)
      const channelId = ids[Math.floor(random() * ids.length)] ?? ''
      const id = `msg_${minute}_${index}`
      const acceptedAt = new Date(nowMs).toISOString()
      await outbox.point({ id, channelId, acceptedAt } as OutboundMessage, acceptedAt)
      waiting.add(id)
      result.messages.accepted++
      await drain(channelId)
    }
  }
}

/** @param place of a mailbox among all, from 0 up to 1 */
function kindAt(place: number): number {
  let upTo = 0
  for (const [kind, { share }] of kinds.entries()) {
    upTo += share
    if (place < upTo) return kind
  }
  return kinds.length - 1
}

function* population({ mailboxes, baseMinutes }: Simulation, random: () => number): Generator<Mailbox> {
  const steps = baseMinutes === 1 ? [1, 1, 5, 15] : [1, 5, 15, 60]
  const since = [5 * minuteMs, 4 * hourMs, 48 * hourMs, 400 * hourMs]
  for (let index = 0; index < mailboxes; index++) {
    const kind = kindAt(index / mailboxes)
    yield {
      id: `ch_${index.toString(36).padStart(26, '0')}`,
      provider: random() < 0.7 ? 'microsoft' : 'google',
      mailEveryMs: kinds[kind]?.mailEveryMs ?? Number.POSITIVE_INFINITY,
      lastMailMs: start - (since[kind] ?? 0),
      lastPollMs: start,
      intervalMinutes: steps[kind] ?? 60,
      hasMoved: true,
      failures: 0,
      restsUntilMs: 0,
    }
  }
}
