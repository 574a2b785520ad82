/** Contract: what holds when many functions do the same thing at the same moment. */

import { beforeAll, describe, expect, test } from 'vitest'
import { activate } from '../../functions/channel/activation.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { randomId } from '../../functions/channel/identifiers.ts'
import { leaseKeys, takeLease } from '../../functions/channel/lease.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import type { Engines } from '../support/engines.ts'
import { type Nouns, newChannel, newSession, openNouns, waitingSession } from './nouns.ts'
import { fresh, race, type Tables } from './tables-under-test.ts'

const answer = {
  accessToken: 'access',
  refreshToken: 'refresh',
  idToken: null,
  expiresInMs: 3600_000,
  scope: null,
}

export function racingNouns(tables: Tables, engines: Engines): void {
  let nouns: Nouns
  beforeAll(async () => {
    nouns = openNouns(tables, await engines.fresh())
  })

  const winners = (results: unknown[]) => results.filter(Boolean)

  describe('races', () => {
    test('of 20 that create the same channel, one does', async () => {
      const channel = newChannel()
      const results = await race(20, number =>
        nouns.channels.create({ ...channel, email: `${number}@contoso.example` }),
      )
      expect(winners(results)).toHaveLength(1)
      const stored = await nouns.channels.get(channel.id)
      expect(stored.email).toBe(`${results.indexOf(true)}@contoso.example`)
    })

    test('of 20 that move the same session on, one does', async () => {
      const session = newSession({ state: 'consenting', stateHash: 'h' })
      await nouns.sessions.create(session)
      const from = { states: ['consenting' as const], equals: { stateHash: 'h' } }
      const results = await race(20, () => nouns.sessions.move(session.id, from, { state: 'checking' }))
      expect(winners(results)).toHaveLength(1)
    })

    /** The app's confirmation, as often as it comes. */
    async function confirm(session: ReturnType<typeof newSession>, times: number): Promise<Channel[]> {
      await nouns.sessions.create(session)
      const nothing = async () => {}
      const queues = {
        reparse: nothing,
        forget: nothing,
        ring: nothing,
        noticeOwner: nothing,
        notify: nothing,
        poll: nothing,
        pollNow: nothing,
        keepAlive: nothing,
        checkApps: nothing,
      }
      return race(times, () => activate(session, { ...nouns, queues, pollIntervalMinutes: 5 }))
    }

    async function logOf(accountId: string) {
      nouns.clock.advance(5_000)
      const { items } = await nouns.events.read(accountId, { after: undefined, limit: 100 })
      return items.map(({ type }) => type)
    }

    test('10 confirmations of one session make one channel, told once', async () => {
      const wanted = newChannel()
      const channels = await confirm(waitingSession(wanted), 10)
      expect(new Set(channels.map(({ id }) => id))).toEqual(new Set([wanted.id]))
      const { items } = await nouns.channels.list(wanted.accountId, { after: undefined, limit: 10 })
      expect(items).toMatchObject([{ id: wanted.id, grantId: wanted.grantId, auth: { state: 'connected' } }])
      expect(await logOf(wanted.accountId)).toEqual(['channel.connected'])
    })

    test('two sessions for the same mailbox, confirmed at once, make one channel with one of their grants', async () => {
      const wanted = newChannel()
      const grants = [randomId('gr'), randomId('gr')]
      await Promise.all(grants.map(grantId => confirm(waitingSession({ ...wanted, grantId }), 2)))
      const { items } = await nouns.channels.list(wanted.accountId, { after: undefined, limit: 10 })
      expect(items).toHaveLength(1)
      expect(grants).toContain(items[0]?.grantId)
      const told = await logOf(wanted.accountId)
      expect(told.filter(type => type === 'channel.connected')).toHaveLength(1)
    })

    test('one event announced by 10 at once stands once in the log', async () => {
      const accountId = fresh('account')
      const event = {
        type: 'message.sent' as const,
        accountId,
        channelId: null,
        occurredAt: 'now',
        subject: 's',
        data: {},
      }
      await race(10, () => nouns.events.announce(event))
      expect(await logOf(accountId)).toEqual(['message.sent'])
    })

    test("of 20 functions that seal under a new day's key, all use the same one", async () => {
      nouns.clock.advance(24 * 3600_000)
      const context = { accountId: 'acme', ownerId: 'ch_1', field: 'f' }
      const sealed = await race(20, number => nouns.newSeal().seal(`secret ${number}`, context))
      const reader = nouns.newSeal()
      const opened = await Promise.all(sealed.map(text => reader.open(text, context)))
      expect(opened).toEqual(Array.from({ length: 20 }, (_, number) => `secret ${number}`))
    })
  })

  describe('grants', () => {
    async function newGrant() {
      const owner = { grantId: randomId('gr'), accountId: 'acme', channelId: 'ch_1' }
      await nouns.grants.create(owner, answer)
      return owner
    }
    const lease = (holder: string, version = 1) => ({ version, holder, untilMs: nouns.now() + 30_000 })

    test('of 20 that want to refresh, one gets the lease', async () => {
      const owner = await newGrant()
      const results = await race(20, number => nouns.grants.lease(owner, lease(`holder-${number}`)))
      expect(winners(results)).toHaveLength(1)
      expect((await nouns.grants.read(owner)).leaseOwner).toBe(`holder-${results.indexOf(true)}`)
    })

    test('a lease is free again after its release, and after its time', async () => {
      const owner = await newGrant()
      expect(await nouns.grants.lease(owner, lease('a'))).toBe(true)
      await nouns.grants.release(owner, 'b')
      expect(await nouns.grants.lease(owner, lease('b'))).toBe(false)
      await nouns.grants.release(owner, 'a')
      expect(await nouns.grants.lease(owner, lease('b'))).toBe(true)
      nouns.clock.advance(30_000)
      expect(await nouns.grants.lease(owner, lease('c'))).toBe(true)
    })

    test('whoever lost the lease cannot save over the refresh of whoever has it', async () => {
      const owner = await newGrant()
      const previous = await nouns.grants.read(owner)
      await nouns.grants.lease(owner, lease('slow'))
      nouns.clock.advance(30_000)
      await nouns.grants.lease(owner, lease('quick'))
      const save = (holder: string, refreshToken: string) =>
        nouns.grants.save(owner, {
          answer: { ...answer, accessToken: holder },
          refreshToken,
          previous,
          holder,
        })
      expect(await save('slow', 'lost')).toBe(false)
      expect(await save('quick', 'rotated')).toBe(true)
      expect(await save('slow', 'lost')).toBe(false)
      const stored = await nouns.grants.read(owner)
      expect(stored).toMatchObject({ version: 2 })
      expect(stored).not.toHaveProperty('leaseOwner')
      expect(await nouns.grants.open(owner, stored)).toEqual({
        accessToken: 'quick',
        refreshToken: 'rotated',
      })
    })

    test('a lease on an old version is refused', async () => {
      const owner = await newGrant()
      const previous = await nouns.grants.read(owner)
      await nouns.grants.lease(owner, lease('a'))
      await nouns.grants.save(owner, { answer, refreshToken: 'refresh', previous, holder: 'a' })
      const stored = await nouns.grants.read(owner)
      expect(await nouns.grants.lease(owner, lease('b', previous.version))).toBe(false)
      expect(await nouns.grants.lease(owner, lease('b', stored.version))).toBe(true)
    })

    test('a grant is forgotten by itself until it is claimed', async () => {
      const owner = await newGrant()
      expect((await nouns.grants.read(owner)).ttl).toBeGreaterThan(nouns.now() / 1000)
      await nouns.grants.claim(owner)
      expect(await nouns.grants.read(owner)).not.toHaveProperty('ttl')
    })
  })

  describe('the lease of a drain', () => {
    test('goes to one of 20, who is told that others rang', async () => {
      const id = fresh('ch')
      const services = { main: tables.main, now: nouns.now }
      const leases = winners(
        await race(20, number => takeLease(leaseKeys.outbox(id), `drain-${number}`, services)),
      )
      expect(leases).toHaveLength(1)
      const [lease] = leases as NonNullable<Awaited<ReturnType<typeof takeLease>>>[]
      if (!lease) throw new Error('no lease')
      // The others rang, before the lease was taken or after: in the second case there is more to do.
      while (!(await lease.release())) {}
      const next = await takeLease(leaseKeys.outbox(id), 'next', services)
      expect(next).toBeDefined()
      expect(await next?.release()).toBe(true)
    })

    test('is not given back while somebody rang in the meantime', async () => {
      const id = fresh('ch')
      const services = { main: tables.main, now: nouns.now }
      const lease = await takeLease(leaseKeys.outbox(id), 'first', services)
      expect(await takeLease(leaseKeys.outbox(id), 'second', services)).toBeUndefined()
      expect(await lease?.release()).toBe(false)
      expect(await lease?.release()).toBe(true)
    })
  })

  test('minutes are dispatched forward only', async () => {
    const minutes = openMinutes({ main: tables.main, now: () => 100 * 60_000 })
    expect(await minutes.due()).toEqual([100])
    await minutes.done([99, 100])
    await minutes.done([98])
    expect(await minutes.due()).toEqual([])
    const later = openMinutes({ main: tables.main, now: () => 103 * 60_000 })
    expect(await later.due()).toEqual([101, 102, 103])
  })
}
