/** A mailbox of 100,000 mails: each poll does a bounded part, the next one goes on, and new mail waits for none of it. */

import { expect, test } from 'vitest'
import type { ImapSession } from '../../functions/channel/imap-reader.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { useEngines } from '../support/engines.ts'
import { openModelMailbox } from '../support/model-mailbox.ts'
import { seeded } from '../support/random.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const dayMs = 24 * 3600_000
const mailsBefore = 100_000
/** Of the last week, which the app wants as well: more than one poll has time for. */
const wanted = 60
const msPerMail = 1_000
const msPerPoll = 25_000
/** functions/fetch: of one list; of one SEARCH, in UIDs, rounded up. */
const limits = { list: 200, search: 10_001 }

interface Asked {
  largestList: number
  largestSearch: number
}

/** Notes how much is asked of the server, which takes its time for each mail. */
function noting(session: ImapSession, asked: Asked, pass: (ms: number) => void): ImapSession {
  const list = (limit: number) => {
    asked.largestList = Math.max(asked.largestList, limit)
  }
  return {
    ...session,
    open(folder, range) {
      list(range.limit)
      return session.open(folder, range)
    },
    heads(range) {
      list(range.limit)
      return session.heads(range)
    },
    arrivedSince(day, range) {
      asked.largestSearch = Math.max(asked.largestSearch, range.to - range.from + 1)
      return session.arrivedSince(day, range)
    },
    async *mails(heads, keepBytes) {
      for await (const mail of session.mails(heads, keepBytes)) {
        pass(msPerMail)
        yield mail
      }
    },
  }
}

test('what an app wants of a large mailbox comes in bounded parts, and new mail before the rest of it', async () => {
  const bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  const mailbox = openModelMailbox({ random: seeded(1), now: bench.now, breaks: () => false })
  let arrivals = 0
  const arrive = (subject: string, atMs: number) => {
    const raw = Buffer.from(
      `Message-ID: <${++arrivals}@outside.example>\r\nSubject: ${subject}\r\n\r\nHi\r\n`,
    )
    mailbox.arrive({ arrival: arrivals, receivedAt: new Date(atMs), raw })
  }
  const weekAgo = bench.now() - 7 * dayMs
  for (let n = mailsBefore - wanted; n > 0; n--) arrive('old', weekAgo - dayMs * (2 + n / 1_000))
  for (let n = 0; n < wanted; n++) arrive(`wanted ${n}`, weekAgo + n * 60_000)

  const fetchSince = new Date(weekAgo).toISOString()
  const { id } = await addChannel(bench, { fetchSince, tokens: { accessToken: 'good' } })
  async function poll(): Promise<Asked & { hasMore: boolean }> {
    const asked = { largestList: 0, largestSearch: 0 }
    const imap = { open: async () => noting(mailbox.open(), asked, bench.clock.advance) }
    const work = {
      services: { ...bench, imap },
      deadlineMs: bench.now() + msPerPoll,
      isRequested: false,
    }
    const { hasMore } = await pollMailbox(await bench.channels.get(id), work)
    return { ...asked, hasMore }
  }
  const told = async () =>
    (await eventsOf(bench))
      .filter(({ type }) => type === 'message.received')
      .map(({ data }) => String(data.message?.subject))

  const first = await poll()
  expect(first.hasMore).toBe(true)
  const toldAtFirst = (await told()).length
  expect(toldAtFirst).toBeGreaterThan(0)
  expect(toldAtFirst).toBeLessThan(wanted)

  arrive('new', bench.now())
  const polls = [first]
  while (polls.at(-1)?.hasMore && polls.length < 30) polls.push(await poll())
  expect(polls.at(-1)?.hasMore).toBe(false)
  for (const asked of polls) {
    expect(asked.largestList).toBeLessThanOrEqual(limits.list)
    expect(asked.largestSearch).toBeLessThanOrEqual(limits.search)
  }
  const all = await told()
  expect(all.indexOf('new'), 'told before the rest').toBe(toldAtFirst)
  expect(all.filter(subject => subject === 'old')).toEqual([])
  expect(new Set(all).size).toBe(all.length)
  expect(all).toHaveLength(wanted + 1)
})
