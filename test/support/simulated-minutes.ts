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
import { openRates } from './fullest-second.ts'
import { type Meter, openMeteredTable } from './metered-table.ts'
import { seeded } from './random.ts'
import { arrivals, type Mailbox, population, start, tokenLifeMs } from './simulated-mailboxes.ts'

export interface Simulation {
  mailboxes: number
  minutes: number
  /** The provider is away from the one minute until the other. */
  outage: { from: number; until: number }
  baseMinutes: number
  progress?(line: string): void
}

const countedBySecond = ['polls', 'received', 'sent', 'refreshes'] as const
type Counted = (typeof countedBySecond)[number]

export interface MinuteOf {
  polls: number
  batches: number
  /** Batches in which somebody asked a provider that is away: each lasts as long as a poll waits for an answer. */
  hanging: number
  /** Slots that moved. */
  moves: number
  /** Messages whose time has come and that wait, at the end of the minute. */
  waiting: number
  rings: number
  /** Mails that were found. */
  received: number
  sent: number
  /** Access tokens that had run out when a mailbox was read. */
  refreshes: number
  /** By how much mailboxes were read later than their interval wants, in seconds: the middle, 99 of 100, the most. */
  readLate: { middle: number; most99: number; most: number }
  /** Units that `schedule` reads, of all partitions. */
  scheduleReads: number
  /** Of one partition in one second of it. */
  hottestReads: number
  hottestWrites: number
  /** In the fullest second of it. */
  fullest: Record<Counted, number>
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
/** An invocation of `send` takes ten doorbells, one after the other, at about a second each. */
const drainSpreadMs = 10_000
/** One message a mailbox and working day of eight hours. */
const messagesPerMailboxMinute = 1 / 480

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
  let of = emptyMinute()
  let readLateMs: number[] = []
  const rates = openRates<Counted>(now)
  const count = (what: Counted, more = 1) => {
    of[what] += more
    rates.add(what, more)
  }

  for (let minute = 0; minute < options.minutes; minute++) {
    isAway = minute >= options.outage.from && minute < options.outage.until
    const minuteStart = start + minute * minuteMs
    nowMs = minuteStart
    of = emptyMinute()
    readLateMs = []
    const hottestSoFar = { reads: meter.hottestReads, writes: meter.hottestWrites }
    meter.hottestReads = meter.hottestWrites = { units: 0, partition: '' }
    const readBefore = meter.readUnits
    await schedule(services)
    of.scheduleReads = meter.readUnits - readBefore
    of.batches = batches.length
    of.rings = rings.length

    const rung = rings.splice(0)
    for (const [index, channelId] of rung.entries()) {
      nowMs = minuteStart + Math.floor((index * drainSpreadMs) / rung.length)
      await drain(channelId)
    }
    for (const batch of batches.splice(0).sort((a, b) => a.delaySeconds - b.delaySeconds)) {
      nowMs = minuteStart + batch.delaySeconds * 1000
      const asksInVain = batch.channelIds.some(id => {
        const box = all.get(id)
        return box && box.restsUntilMs <= nowMs && away(box)
      })
      if (asksInVain) of.hanging++
      for (const channelId of batch.channelIds) {
        count('polls')
        if (await poll(all.get(channelId))) of.moves++
      }
    }
    await acceptMessages(minute, minuteStart)
    of.waiting = waiting.size
    of.readLate = lateness(readLateMs)
    of.hottestReads = meter.hottestReads.units
    of.hottestWrites = meter.hottestWrites.units
    meter.hottestReads = hotter(hottestSoFar.reads, meter.hottestReads)
    meter.hottestWrites = hotter(hottestSoFar.writes, meter.hottestWrites)
    of.fullest = rates.fullest(countedBySecond)
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
      read(box)
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
    if (box.lastReadMs === nowMs) box.nextReadMs = nowMs + wanted * minuteMs
    box.hasMoved = wanted !== box.intervalMinutes
    if (!box.hasMoved) return false
    box.intervalMinutes = wanted
    await slots.put({ channelId: box.id, provider: box.provider, intervalMinutes: wanted })
    return true
  }

  function read(box: Mailbox): void {
    if (box.nextReadMs < Number.POSITIVE_INFINITY) readLateMs.push(Math.max(0, nowMs - box.nextReadMs))
    const mails = arrivals((nowMs - box.lastReadMs) / box.mailEveryMs, random())
    if (mails > 0) box.lastMailMs = nowMs
    count('received', mails)
    if (box.tokenUntilMs <= nowMs) {
      count('refreshes')
      box.tokenUntilMs = nowMs + tokenLifeMs
    }
    box.lastReadMs = nowMs
    box.failures = 0
    box.restsUntilMs = 0
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
        count('sent')
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

const emptyMinute = (): MinuteOf => ({
  polls: 0,
  batches: 0,
  hanging: 0,
  moves: 0,
  waiting: 0,
  rings: 0,
  received: 0,
  sent: 0,
  refreshes: 0,
  readLate: { middle: 0, most99: 0, most: 0 },
  scheduleReads: 0,
  hottestReads: 0,
  hottestWrites: 0,
  fullest: { polls: 0, received: 0, sent: 0, refreshes: 0 },
})

const hotter = <T extends { units: number }>(one: T, other: T) => (other.units > one.units ? other : one)

/** @param lateMs is sorted */
function lateness(lateMs: number[]): MinuteOf['readLate'] {
  lateMs.sort((a, b) => a - b)
  const at = (share: number) => Math.round((lateMs[Math.floor((lateMs.length - 1) * share)] ?? 0) / 1000)
  return { middle: at(0.5), most99: at(0.99), most: at(1) }
}
