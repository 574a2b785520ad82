/** Contract: channels, sessions, the outbox, messages, cursors, slots and threads, one caller at a time. */

import { beforeAll, describe, expect, test } from 'vitest'
import { openMessages } from '../../functions/channel/messages.ts'
import { openCursors } from '../../functions/fetch/cursor.ts'
import type { Engines } from '../support/engines.ts'
import { type Nouns, newChannel, newOutbound, newSession, openNouns } from './nouns.ts'
import { fresh, type Tables } from './tables-under-test.ts'

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()

export function storedNouns(tables: Tables, engines: Engines): void {
  let nouns: Nouns
  let mail: Parameters<typeof openMessages>[0]['mail']
  beforeAll(async () => {
    nouns = openNouns(tables, await engines.fresh())
    const nothing = async () => undefined
    mail = { put: nothing, read: nothing, size: nothing, stream: nothing }
  })

  describe('channels', () => {
    test('create() stores a channel once; the second does not touch the first', async () => {
      const channel = newChannel()
      expect(await nouns.channels.create(channel)).toBe(true)
      expect(await nouns.channels.create({ ...channel, email: 'other@contoso.example' })).toBe(false)
      expect(await nouns.channels.find(channel.id)).toEqual(channel)
    })

    test('change() makes no channel, and none under a grant that is no longer its own', async () => {
      const channel = newChannel()
      expect(await nouns.channels.change(channel.id, { displayName: 'x' })).toBeUndefined()
      await nouns.channels.create(channel)
      const old = { equals: { grantId: 'gr_old' } }
      expect(await nouns.channels.change(channel.id, { displayName: 'x' }, old)).toBeUndefined()
      expect(await nouns.channels.find(channel.id)).toEqual(channel)
    })

    test('list() shows the channels of one account, whatever other accounts begin with its name', async () => {
      const accountId = fresh('acme')
      const own = Array.from({ length: 5 }, () => newChannel({ accountId }))
      for (const channel of [
        ...own,
        newChannel({ accountId: `${accountId}x` }),
        newChannel({ accountId: `${accountId}-` }),
      ]) {
        await nouns.channels.create(channel)
      }
      const first = await nouns.channels.list(accountId, { after: undefined, limit: 3 })
      const second = await nouns.channels.list(accountId, { after: first.after ?? undefined, limit: 3 })
      const ids = [...first.items, ...second.items].map(({ id }) => id)
      expect(ids).toEqual(own.map(({ id }) => id).toSorted())
      expect(second.after).toBeNull()
    })

    test('a channel with something to tell is due until it is told', async () => {
      const channel = newChannel({ unannounced: [{ type: 'channel.connected', at: at(0) }] })
      await nouns.channels.create(channel)
      const isDue = async () =>
        (await tables.main.due('DUE#CHANNELS', '\uffff', 1_000)).some(
          ({ pk }) => pk === `CHANNEL#${channel.id}`,
        )
      expect(await isDue()).toBe(true)
      await nouns.health.announce(channel)
      expect(await isDue()).toBe(false)
      expect((await nouns.channels.get(channel.id)).unannounced).toEqual([])
    })
  })

  describe('connect sessions', () => {
    test('move() moves a session out of the named states only', async () => {
      const session = newSession()
      await nouns.sessions.create(session)
      expect(
        await nouns.sessions.move(session.id, { states: ['consenting', 'checking'] }, { state: 'failed' }),
      ).toBeUndefined()
      const moved = await nouns.sessions.move(
        session.id,
        { states: ['open', 'consenting'] },
        { state: 'consenting', stateHash: 'h' },
      )
      expect(moved).toMatchObject({ state: 'consenting', stateHash: 'h' })
      const other = { states: ['consenting' as const], equals: { stateHash: 'other' } }
      expect(await nouns.sessions.move(session.id, other, { state: 'checking' })).toBeUndefined()
      expect(await nouns.sessions.find(session.id)).toMatchObject({ state: 'consenting' })
    })

    test('a session that is nowhere is moved nowhere', async () => {
      expect(await nouns.sessions.move('cs_none', { states: ['open'] }, { state: 'failed' })).toBeUndefined()
      expect(await nouns.sessions.find('cs_none')).toBeUndefined()
    })
  })

  describe('the outbox', () => {
    test('keeps the order of acceptance, whatever the order of writing', async () => {
      const channel = newChannel()
      const messages = [3, 1, 12, 2].map(second => newOutbound(channel, at(second)))
      for (const message of messages) await nouns.outbox.point(message, message.acceptedAt)
      const rows = await nouns.outbox.rows(channel.id, 50)
      const inOrder = messages.toSorted((a, b) => (a.acceptedAt < b.acceptedAt ? -1 : 1))
      expect(rows.map(({ id }) => id)).toEqual(inOrder.map(({ id }) => id))
      expect((await nouns.outbox.rows(channel.id, 2)).map(({ id }) => id)).toEqual(
        inOrder.slice(0, 2).map(({ id }) => id),
      )
    })

    test('points to a message once, however often it is told to', async () => {
      const channel = newChannel()
      const message = newOutbound(channel, at(0))
      await nouns.outbox.point(message, at(0))
      await nouns.outbox.point(message, at(9))
      expect(await nouns.outbox.rows(channel.id, 50)).toMatchObject([{ id: message.id, dueAt: at(9) }])
    })

    test('a channel is due from the time of its row on, and no longer once that is put off or cleared', async () => {
      const channel = newChannel()
      await nouns.outbox.point(newOutbound(channel, at(0)), at(10))
      const isDue = async (second: number) =>
        (await nouns.outbox.dueChannels(at(second), 1_000)).includes(channel.id)
      expect([await isDue(9), await isDue(10)]).toEqual([false, true])
      const row = async () => {
        const [first] = await nouns.outbox.rows(channel.id, 1)
        if (!first) throw new Error('no row')
        return first
      }
      await nouns.outbox.postpone(await row(), at(30))
      expect([await isDue(29), await isDue(30)]).toEqual([false, true])
      await nouns.outbox.clear(await row())
      expect([await isDue(59), (await nouns.outbox.rows(channel.id, 1)).length]).toEqual([false, 0])
    })

    test('I1: a row that was pointed to anew is neither put off nor cleared by who saw it before', async () => {
      const channel = newChannel()
      const message = newOutbound(channel, at(0))
      await nouns.outbox.point(message, at(0))
      const [seen] = await nouns.outbox.rows(channel.id, 1)
      if (!seen) throw new Error('no row')
      await nouns.outbox.point(message, at(5))
      await nouns.outbox.postpone(seen, at(30))
      await nouns.outbox.clear(seen)
      expect(await nouns.outbox.rows(channel.id, 1)).toMatchObject([{ id: message.id, dueAt: at(5) }])
    })

    test('putting off a row that is cleared makes none', async () => {
      const channel = newChannel()
      await nouns.outbox.point(newOutbound(channel, at(0)), at(0))
      const [row] = await nouns.outbox.rows(channel.id, 1)
      if (!row) throw new Error('no row')
      await nouns.outbox.clear(row)
      await nouns.outbox.postpone(row, at(30))
      expect(await nouns.outbox.rows(channel.id, 1)).toEqual([])
    })
  })

  describe('messages', () => {
    test('are listed newest first, page by page, and stored once', async () => {
      const messages = openMessages({ main: tables.main, mail })
      const channel = newChannel()
      const sent = [1, 2, 3, 4, 5].map(second => newOutbound(channel, at(second)))
      for (const message of sent) expect(await messages.create(message)).toBe(true)
      for (const message of sent) expect(await messages.create({ ...message, subject: 'other' })).toBe(false)
      const query = { channelId: channel.id, direction: 'outbound' as const, limit: 2 }
      const found: string[] = []
      let after: string | undefined
      do {
        const page = await messages.list({ ...query, after })
        found.push(...page.items.map(({ id }) => id))
        after = page.after ?? undefined
      } while (after)
      expect(found).toEqual(sent.map(({ id }) => id).toReversed())
      expect(await messages.get(sent[0]?.id ?? '')).toEqual(sent[0])
    })
  })

  describe('what fetch and schedule keep', () => {
    test('a cursor is changed only by who has read its latest state', async () => {
      const cursors = openCursors({ main: tables.main })
      const id = fresh('ch')
      const nothing = {
        floorUid: 0,
        recent: [],
        retries: [],
        backfill: null,
        caughtUpAt: null,
        auditAt: null,
      }
      const begin = { uidValidity: '1', lastUid: 5, ...nothing }
      const first = await cursors.save(id, 'INBOX', begin, undefined)
      expect(await cursors.save(id, 'INBOX', begin, undefined)).toBeUndefined()
      const second = await cursors.save(id, 'INBOX', { ...begin, lastUid: 7 }, first)
      expect(await cursors.save(id, 'INBOX', { ...begin, lastUid: 6 }, first)).toBeUndefined()
      expect(await cursors.find(id, 'INBOX')).toEqual(second)
      expect(second).toMatchObject({ lastUid: 7, version: 2 })
    })

    test('a slot is due in its minute of its interval, until the channel moves or leaves', async () => {
      const id = fresh('ch')
      const minutesOf = async () => {
        const due: number[] = []
        for (let minute = 600; minute < 615; minute++) {
          const slots = await nouns.slots.dueIn([minute])
          if (slots.some(({ channelId }) => channelId === id)) due.push(minute)
        }
        return due
      }
      const slot = { channelId: id, provider: 'microsoft' }
      await nouns.slots.put({ ...slot, intervalMinutes: 5 })
      await nouns.slots.put({ ...slot, intervalMinutes: 5 })
      expect(await minutesOf()).toHaveLength(3)
      await nouns.slots.put({ ...slot, intervalMinutes: 15 })
      expect(await minutesOf()).toHaveLength(1)
      await nouns.slots.remove(id, 'microsoft')
      expect(await minutesOf()).toEqual([])
    })

    test('the first mail to use a Message-ID keeps it, and its answers find its thread', async () => {
      const id = fresh('ch')
      const entry = { threadId: 'th_a', id: 'msg_1', messageId: '<a@x>', references: [] }
      await nouns.threads.remember(id, entry)
      await nouns.threads.remember(id, { ...entry, threadId: 'th_b', id: 'msg_2' })
      expect(await nouns.threads.find(id, '<a@x>')).toEqual(entry)
      const answer = { messageId: '<b@x>', inReplyTo: '<unknown@x>', references: ['<older@x>', '<a@x>'] }
      expect(await nouns.threads.threadOf(id, answer)).toBe('th_a')
    })
  })
}
