/** Events: what happened, told once by SNS and kept in a log that can be read again by cursor. */

import * as v from 'valibot'
import { eventJson } from './event-json.ts'
import type { EventsTopic } from './events-topic.ts'
import { derivedId, idLengthLimit } from './identifiers.ts'
import { log } from './log.ts'
import { check } from './schema-check.ts'
import { type PageOf, readItem, type Table } from './table.ts'

export const eventTypes = [
  'channel.connected',
  'channel.reconnected',
  'channel.reconnect_required',
  'channel.blocked',
  'channel.login_healed',
  'channel.recovered',
  'channel.overdue',
  'channel.disconnected',
  'message.received',
  'message.sent',
  'message.parked',
  'message.uncertain',
  'message.failed',
  'message.rejected',
  'message.bounced',
  'mailbox.reset',
  'app.fault',
  'tenant.fault',
  'tenant.recovered',
  'polling.stalled',
  'polling.resumed',
  'app.secret_expiring',
  'webhook.failing',
  'webhook.recovered',
  'webhook.paused',
  'webhook.delivery_failed',
] as const

export type EventType = (typeof eventTypes)[number]

/** The account of events that belong to nobody's account, such as a queue message for an unknown channel. */
export const operatorAccount = '-'

interface NewEvent {
  type: EventType
  accountId: string
  channelId: string | null
  occurredAt: string
  /** What the event is about; with type and time of it, this makes the id, so that telling it twice is one event. */
  subject: string
  data: Record<string, unknown>
}

export const eventSchema = v.object({
  id: v.string(),
  type: v.pipe(v.string(), v.description('More types may come: pass over those you do not know.')),
  accountId: v.string(),
  channelId: v.nullable(v.string()),
  occurredAt: v.string(),
  data: v.record(v.string(), v.unknown()),
})

export type PostroomEvent = v.InferOutput<typeof eventSchema>

const withFault = { fault: v.nullish(v.object({ code: v.string() })) }
const aboutSchema = v.object({
  message: v.optional(v.object({ id: v.string(), ...withFault })),
  channel: v.optional(v.object({ auth: v.optional(v.object(withFault)) })),
  ...withFault,
})

/** Which message it is about, and the code of what went wrong, where the event has them. */
function toBeLogged(data: unknown): { messageId?: string; code?: string } {
  const { message, channel, fault } = check(aboutSchema, data).data ?? {}
  return { messageId: message?.id, code: (fault ?? message?.fault ?? channel?.auth?.fault)?.code }
}

/** How long the log is kept. */
const retentionSeconds = 30 * 24 * 3600
/**
 * The log is read up to this long ago. Positions are taken before the write, so that an event written a
 * moment late could otherwise slip in behind a reader who has passed its place already.
 */
const settleMs = 1_000

const logOf = (accountId: string) => `EVENTS#${accountId}`
const eventKey = (id: string) => ({ pk: `EVENT#${id}`, sk: 'EVENT' })
const position = (ms: number) => new Date(ms).toISOString()

export interface Events {
  /**
   * Publishes, then records; the record proves the publication, so that a repeat after a crash publishes
   * again only what may not have gone out (at least once, always under the same id).
   * @param options.isFirst what it tells has been decided by a write of the caller's own just now: nobody can have told
   *   it before, and it is not looked for
   */
  announce(event: NewEvent, options?: { isFirst: boolean }): Promise<void>
  /** @returns undefined if it is not in the log (yet, or any more) */
  find(id: string): Promise<PostroomEvent | undefined>
  /** @returns events in the order of the log; `after` continues it, also when there is no more yet */
  read(accountId: string, page: { after: string | undefined; limit: number }): Promise<PageOf<PostroomEvent>>
}

export interface EventServices {
  main: Table
  topic: EventsTopic
  now(): number
}

export function openEvents({ main, topic, now }: EventServices): Events {
  return {
    async announce({ subject, ...told }, { isFirst } = { isFirst: false }) {
      const id = derivedId('ev', told.type, told.accountId, subject)
      if (!isFirst && (await main.get(eventKey(id)))) return
      const message = eventJson({ id, ...told })
      // The log shows the very texts that the topic got.
      const event: Omit<NewEvent, 'subject'> = { ...told, data: JSON.parse(message).data }
      await topic.publish(message, event)
      let takenAtMs: number
      let rewrite = false
      do {
        takenAtMs = now()
        const item = {
          ...eventKey(id),
          id,
          ...event,
          listPk: logOf(event.accountId),
          listSk: `${position(takenAtMs)}#${id}`,
          ttl: Math.floor(takenAtMs / 1000) + retentionSeconds,
        }
        await main.put(item, rewrite ? undefined : { exists: false })
        // Written too late for its place: readers may have passed it, so it moves to a new one.
        rewrite = now() - takenAtMs > settleMs / 2
      } while (rewrite)
      const { type, accountId, channelId } = event
      log({ event: 'told', type, eventId: id, accountId, channelId, ...toBeLogged(event.data) })
    },

    async find(id) {
      if (id.length > idLengthLimit) return undefined
      const item = await main.get(eventKey(id))
      return item && readItem(eventSchema, item)
    },

    async read(accountId, { after, limit }) {
      const keys = await main.listing(logOf(accountId), { after, before: position(now() - settleMs), limit })
      const items = (await main.getMany(keys.items)).filter(item => item !== undefined)
      const last = items.at(-1)
      return {
        items: items.map(item => readItem(eventSchema, item)),
        after: last ? `${last.listSk}` : (after ?? null),
      }
    },
  }
}
