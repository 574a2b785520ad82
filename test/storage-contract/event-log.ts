/** Contract: the event log, told once, in order, by cursor. */

import { beforeAll, describe, expect, test } from 'vitest'
import type { Engines } from '../support/engines.ts'
import { type Nouns, openNouns } from './nouns.ts'
import { fresh, type Tables } from './tables-under-test.ts'

export function eventLog(tables: Tables, engines: Engines): void {
  let nouns: Nouns
  beforeAll(async () => {
    nouns = openNouns(tables, await engines.fresh())
  })

  describe('events', () => {
    const event = (accountId: string, subject: string) => ({
      type: 'message.sent' as const,
      accountId,
      channelId: null,
      occurredAt: '2026-01-01T00:00:00.000Z',
      subject,
      data: { subject },
    })

    /** The whole log by its cursor. */
    async function readAll(accountId: string, limit: number) {
      const subjects: unknown[] = []
      let after: string | undefined
      for (;;) {
        const page = await nouns.events.read(accountId, { after, limit })
        if (page.items.length === 0) return { subjects, after }
        subjects.push(...page.items.map(({ data }) => data.subject))
        after = page.after ?? undefined
      }
    }

    test('what is announced twice is published once and stands once in the log', async () => {
      const accountId = fresh('account')
      const before = nouns.published.length
      await nouns.events.announce(event(accountId, 'a'))
      await nouns.events.announce(event(accountId, 'a'))
      nouns.clock.advance(5_000)
      expect((await readAll(accountId, 10)).subjects).toEqual(['a'])
      expect(nouns.published.length - before).toBe(1)
    })

    test.each([1, 2, 10])(
      'the log is read in the order of announcement, %i at a time, and its cursor goes on',
      async limit => {
        const accountId = fresh('account')
        for (const subject of ['c', 'a', 'd', 'b']) {
          await nouns.events.announce(event(accountId, subject))
          nouns.clock.advance(1)
        }
        nouns.clock.advance(5_000)
        const { subjects, after } = await readAll(accountId, limit)
        expect(subjects).toEqual(['c', 'a', 'd', 'b'])
        expect(await nouns.events.read(accountId, { after, limit })).toEqual({ items: [], after })
        await nouns.events.announce(event(accountId, 'e'))
        nouns.clock.advance(5_000)
        const { items } = await nouns.events.read(accountId, { after, limit })
        expect(items.map(({ data }) => data.subject)).toEqual(['e'])
      },
    )

    test('an event shows only once nothing can slip in before it any more', async () => {
      const accountId = fresh('account')
      await nouns.events.announce(event(accountId, 'a'))
      expect((await readAll(accountId, 10)).subjects).toEqual([])
      nouns.clock.advance(5_000)
      expect((await readAll(accountId, 10)).subjects).toEqual(['a'])
    })

    test('accounts see their own events only', async () => {
      const accountId = fresh('account')
      await nouns.events.announce(event(accountId, 'mine'))
      await nouns.events.announce(event(`${accountId}x`, 'theirs'))
      nouns.clock.advance(5_000)
      expect((await readAll(accountId, 10)).subjects).toEqual(['mine'])
    })
  })
}
