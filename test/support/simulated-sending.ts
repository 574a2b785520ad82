/**
 * A mailbox's sending in memory, and that of others: any number of drains at once, each of which can be killed at any await, against a
 * provider that drops, refuses and stays silent, and keeps count of what it took. Time passes only when told to.
 */

import { Readable } from 'node:stream'
import type { SQSRecord } from 'aws-lambda'
import { type Channel, openChannels } from '../../functions/channel/channels.ts'
import { openEvents } from '../../functions/channel/events.ts'
import type { EventsTopic } from '../../functions/channel/events-topic.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { openHealth } from '../../functions/channel/health.ts'
import type { MailStore } from '../../functions/channel/mail-store.ts'
import { openMessages } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import type { SentFolder } from '../../functions/channel/sent-folder.ts'
import type { SmtpSession } from '../../functions/channel/smtp.ts'
import type { Table } from '../../functions/channel/table.ts'
import { type DrainServices, drain } from '../../functions/send/drain.ts'
import { type SendServices, send } from '../../functions/send/send.ts'
import { newChannel, newOutbound } from '../storage-contract/nouns.ts'
import { openMemoryTable } from './memory-table.ts'
import { providersWith } from './test-providers.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What the provider does with a mail. After the dot it may have taken the mail or not, and we do not hear which. */
export type Fate = 'take' | 'drop early' | 'drop in body' | 'drop taken' | 'drop untaken' | 'refuse' | 'later'

export interface Simulation {
  channel: Channel
  /** Ids of what was accepted into the outbox, in order. */
  accepted: string[]
  /** Ids of what the provider took, in order. */
  taken: string[]
  /** When it took them. */
  takenAtMs: number[]
  /** Ids of the copies in Sent where the mailbox's team looks, in order. */
  copies: string[]
  /** Ids whose outcome somebody could truly not know. */
  ambiguous: Set<string>
  /** Ids that were refused for now, and so fell behind. */
  delayed: Set<string>
  /** Types and message ids of all events. */
  events: { type: string; id: string }[]
  /** Sessions that were opened. */
  sessions: number
  /** Chosen for each mail. */
  fate: () => Fate
  accept(onUncertain?: 'report' | 'resend', of?: Channel): Promise<string>
  /** Another mailbox. */
  addChannel(login: string): Promise<Channel>
  /** An invocation of the function that has a batch of doorbells, one for each of the channels. */
  ring(channels: Channel[]): Promise<void>
  /** Runs one drain, that dies at its await number `killAt`, before or after what it awaits has taken effect. */
  drain(options?: { killAt?: number; takesEffect?: boolean }): Promise<{ awaits: number }>
  /** Rings for what is due, as `schedule` does every minute; without any other doorbell. */
  sweep(): Promise<number>
  state(id: string): Promise<string>
  rows(): Promise<number>
  advance(ms: number): void
  now(): number
}

class Killed extends Error {}

/** A drain's own view of the world: once it is dead, nothing it does has an effect or an end. */
interface Worker {
  awaits: number
  isDead: boolean
  killAt: number
  takesEffect: boolean
  /** Mails whose body has begun to leave and whose outcome is not written. */
  inFlight: Set<string>
}

interface SimulationOptions {
  random?: () => number
  messagesPerMinute?: number
  /** With it, time passes only as it says; without, a sleep is over at once, and later. */
  clock?: VirtualClock
  /** How long the provider takes for each mail; needs a clock. */
  takesMs?: number
  /** Sends as a shared mailbox, of which the provider files no copies. */
  isShared?: boolean
}

export async function openSimulation(options: SimulationOptions = {}): Promise<Simulation> {
  const { random = () => 0, messagesPerMinute = 100_000, clock, takesMs = 0, isShared = false } = options
  const startMs = Date.parse('2026-11-26T08:00:00.000Z')
  let aheadMs = 0
  const now = () => aheadMs + (clock?.now() ?? startMs)
  const table = openMemoryTable()
  const objects = new Map<string, Buffer>()
  const shared = 'support@contoso.example'
  const channel = newChannel(
    isShared ? { sharedMailbox: shared, login: { imap: shared, smtp: 'ada@contoso.example' } } : {},
  )
  const simulation: Simulation = {
    channel,
    accepted: [],
    taken: [],
    takenAtMs: [],
    copies: [],
    ambiguous: new Set(),
    delayed: new Set(),
    events: [],
    sessions: 0,
    fate: () => 'take',

    async accept(onUncertain = 'report', of = channel) {
      simulation.advance(1)
      const message = newOutbound(of, new Date(now()).toISOString())
      const expiresAt = new Date(now() + 72 * 3_600_000).toISOString()
      objects.set(message.id, Buffer.from(message.id))
      const whole = { ...message, rawKey: message.id, contentKey: 'none', expiresAt, onUncertain }
      await openOutbox({ main: table }).point(whole, whole.acceptedAt)
      await openMessages({ main: table, mail: storeFor(idle()) }).create(whole)
      simulation.accepted.push(message.id)
      return message.id
    },

    async addChannel(login) {
      const added = newChannel({ email: login, login: { imap: login, smtp: login } })
      await openChannels({ main: table }).create(added)
      return added
    },

    async ring(channels) {
      const doorbells = channels.map(
        ({ id }) => ({ messageId: id, body: JSON.stringify({ channelId: id }) }) as SQSRecord,
      )
      const metrics = { add() {}, write() {} }
      // A doorbell needs no more of them.
      const services = { ...servicesFor(idle()), metrics } as unknown as SendServices
      const { batchItemFailures } = await send(doorbells, { services, deadlineMs: now() + 300_000 })
      if (batchItemFailures.length > 0) throw new Error(`Failed: ${JSON.stringify(batchItemFailures)}`)
    },

    async drain({ killAt = Number.POSITIVE_INFINITY, takesEffect = false } = {}) {
      const worker: Worker = { awaits: 0, isDead: false, killAt, takesEffect, inFlight: new Set() }
      await drain(channel.id, { services: servicesFor(worker), deadlineMs: now() + 300_000 }).catch(error => {
        if (!(error instanceof Error)) throw error
      })
      for (const id of worker.inFlight) simulation.ambiguous.add(id)
      return { awaits: worker.awaits }
    },

    async sweep() {
      const due = await openOutbox({ main: table }).dueChannels(new Date(now()).toISOString(), 100)
      for (const _channelId of due) await simulation.drain()
      return due.length
    },

    async state(id) {
      return (await openMessages({ main: table, mail: storeFor(idle()) }).get(id)).state
    },
    rows: async () => (await openOutbox({ main: table }).rows(channel.id, 10_000)).length,
    advance(ms) {
      aheadMs += ms
    },
    now,
  }
  await openChannels({ main: table }).create(channel)
  return simulation

  function idle(): Worker {
    return {
      awaits: 0,
      isDead: false,
      killAt: Number.POSITIVE_INFINITY,
      takesEffect: false,
      inFlight: new Set(),
    }
  }

  /** One await of a drain: others come between, and it may be the last. */
  async function step<T>(worker: Worker, work: () => Promise<T>): Promise<T> {
    if (worker.isDead) throw new Killed()
    const isLast = ++worker.awaits === worker.killAt
    for (let turns = Math.floor(random() * 4); turns > 0; turns--) await Promise.resolve()
    if (!isLast) return work()
    worker.isDead = true
    if (worker.takesEffect) await work()
    throw new Killed()
  }

  function tableFor(worker: Worker): Table {
    return {
      ...table,
      get: key => step(worker, () => table.get(key)),
      put: (item, condition) => step(worker, () => table.put(item, condition)),
      remove: (key, condition) => step(worker, () => table.remove(key, condition)),
      partition: (pk, range) => step(worker, () => table.partition(pk, range)),
      update: (key, change, condition) =>
        step(worker, async () => {
          const item = await table.update(key, change, condition)
          const state = change.set?.state
          if (item && key.pk.startsWith('MESSAGE#') && state !== undefined && state !== 'sending')
            worker.inFlight.delete(String(item.id))
          if (item && state === 'sending') worker.inFlight.add(String(item.id))
          return item
        }),
    }
  }

  function storeFor(worker: Worker): MailStore {
    return {
      put: async () => {},
      read: key => step(worker, async () => objects.get(key)),
      size: async key => objects.get(key)?.byteLength,
      stream: key =>
        step(worker, async () => (objects.has(key) ? Readable.from([objects.get(key)]) : undefined)),
    } as MailStore
  }

  function servicesFor(worker: Worker): DrainServices {
    const main = tableFor(worker)
    const mail = storeFor(worker)
    const topic: EventsTopic = {
      publish: message =>
        step(worker, async () => {
          const { type, data } = JSON.parse(message)
          simulation.events.push({ type, id: String(data.message?.id) })
        }),
    }
    const channels = openChannels({ main })
    const events = openEvents({ main, topic, now })
    return {
      main,
      metrics: { add: () => {}, write: () => {} },
      mail,
      channels,
      events,
      messages: openMessages({ main, mail }),
      outbox: openOutbox({ main }),
      health: openHealth({
        main,
        channels,
        events,
        providers: {},
        queues: { noticeOwner: async () => {} },
        publicUrl: 'http://localhost:4400',
        now,
      }),
      providers: providersWith({
        limits: { smtpConnections: 3, messagesPerMinute, messageBytes: 1e6 },
      }),
      tokens: { accessToken: async () => 'token' } as unknown as DrainServices['tokens'],
      openSmtp: () =>
        step(worker, async () => {
          simulation.sessions += 1
          return sessionFor(worker)
        }),
      openSent: ({ user }) => step(worker, async () => sentFor(worker, user)),
      sleep: clock?.sleep ?? (async ms => simulation.advance(ms)),
      now,
    }
  }

  function sessionFor(worker: Worker): SmtpSession {
    return {
      isOpen: () => true,
      close() {},
      send: (_envelope, body) => {
        const fate = simulation.fate()
        return step(worker, async () => {
          if (fate === 'drop early') throw new PostroomError('smtp_unreachable')
          let id = ''
          for await (const chunk of body) id += chunk
          if (takesMs > 0) await clock?.sleep(takesMs)
          await step(worker, async () => {
            if (fate !== 'take' && fate !== 'drop taken') return
            simulation.taken.push(id)
            simulation.takenAtMs.push(now())
          })
          if (fate === 'drop taken' || fate === 'drop untaken') {
            simulation.ambiguous.add(id)
            throw new PostroomError('outcome_unknown')
          }
          if (fate === 'drop in body') throw new PostroomError('smtp_unreachable')
          if (fate === 'refuse') throw new PostroomError('smtp_refused')
          if (fate === 'later') {
            simulation.delayed.add(id)
            throw new PostroomError('smtp_temporary')
          }
          return { response: '250 OK', providerMessageId: null, rejected: [] }
        })
      },
    }
  }

  function sentFor(worker: Worker, user: string): SentFolder {
    const lying = user === shared ? simulation.copies : simulation.taken
    return {
      find: ({ id, messageId }) => step(worker, async () => (lying.includes(id) ? { messageId } : undefined)),
      append: raw => step(worker, async () => void lying.push(Buffer.from(raw).toString())),
      close: async () => {},
    }
  }
}
