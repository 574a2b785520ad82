/** A thousand mailboxes behind one OAuth app whose secret has expired: one event an account, no prompt, no mail lost. */

import { expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { presentChannel } from '../../functions/channel/channels.ts'
import type { Table } from '../../functions/channel/table.ts'
import { openCursors } from '../../functions/fetch/cursor.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { drain } from '../../functions/send/drain.ts'
import type { Clock } from '../support/clock.ts'
import { useEngines } from '../support/engines.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { startScriptedSmtp } from '../support/scripted-smtp.ts'
import { invocationMs } from '../support/sending-channel.ts'
import { providersWith } from '../support/test-providers.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { startTokenEndpoint } from '../support/token-endpoint.ts'
import { addChannel, eventsOf, openWorkbench, ownerOf, recordQueues } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000
const channelCount = 1_000
/** How many of them have mail to send; the others are polled. */
const sendingCount = 100
const accounts = Array.from({ length: 20 }, (_, index) => `account-${index}`)
const accountOf = (index: number) => accounts[index % accounts.length] ?? ''

/** Stands still, however slow the machine is: what comes after minutes comes when the test says so. */
function stoppedClock(): Clock {
  let at = Date.now()
  return {
    now: () => at,
    advance(ms) {
      at += ms
    },
  }
}

/** Tables in memory, held to what DynamoDB does by the storage contract, that count what is written. */
function openTables() {
  const counting = (table: Table): Table => ({
    ...table,
    put: (...args) => counted(() => table.put(...args)),
    update: (...args) => counted(() => table.update(...args)),
    remove: (...args) => counted(() => table.remove(...args)),
  })
  const counted = <T>(write: () => T): T => {
    tables.writes += 1
    return write()
  }
  const tables = { main: counting(openMemoryTable()), secrets: counting(openMemoryTable()), writes: 0 }
  return tables
}

/** As many at a time as one batch's mailboxes. */
async function eachOf<T>(things: T[], work: (thing: T, index: number) => Promise<unknown>): Promise<void> {
  const waiting = [...things.entries()]
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await work(next[1], next[0])
  }
  await Promise.all(Array.from({ length: 25 }, worker))
}

test(`${channelCount} channels, secret expired: told once an account, nobody prompted, and all goes on after the fix`, async () => {
  const smtp = await startScriptedSmtp()
  const endpoint = await startTokenEndpoint()
  const tables = openTables()
  const bench = openWorkbench(await engines.fresh(), {
    tables,
    providers: providersWith({ smtp: smtp.server, tokenEndpoint: endpoint.url }),
    clock: stoppedClock(),
  })
  const channels: Channel[] = []
  await eachOf(Array.from({ length: channelCount }), async (_, index) => {
    const refreshToken = `refresh-of-${index}`
    endpoint.accept(refreshToken)
    const name = `person-${index}@contoso.example`
    const channel = await addChannel(bench, {
      accountId: accountOf(index),
      login: { imap: name, smtp: name },
      tokens: { refreshToken },
    })
    await bench.grants.claim(ownerOf(channel))
    channels[index] = channel
  })
  const sending = channels.slice(0, sendingCount)
  const reading = channels.slice(sendingCount)
  bench.clock.advance(61 * minuteMs)
  const to = [{ address: 'customer@outside.example' }]
  await eachOf(sending, channel =>
    accept({ channel, idempotencyKey: 'only', document: { to, subject: channel.id, text: 'Hi' } }, bench),
  )

  const drainAll = (some: { id: string }[]) =>
    eachOf(some, ({ id }) => drain(id, { services: bench, deadlineMs: bench.now() + invocationMs }))
  const fetchServices = { ...bench, cursors: openCursors(bench) }
  const pollAll = () =>
    eachOf(reading, async channel => {
      const poll = { services: fetchServices, deadlineMs: bench.now() + invocationMs, isRequested: false }
      expect((await thrownBy(() => pollMailbox(channel, poll))).code).toBe('app_credentials_refused')
    })
  /** One firing of `schedule`. @returns the channels it rang for */
  const fire = async () => {
    const queues = recordQueues()
    await schedule({ ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench), queues })
    return [...new Set(queues.rings)].map(id => ({ id }))
  }

  endpoint.always = { status: 401, body: { error: 'invalid_client', error_codes: [7000222] } }
  await drainAll(sending)
  // Those that were asking when the first refusal came; nobody after them.
  const callsAtFirst = endpoint.requests.length
  expect(callsAtFirst).toBeLessThanOrEqual(25)
  const writesBefore = tables.writes
  await pollAll()
  // Of all these polls nothing is stored but the first event of accounts that were not told yet.
  expect(tables.writes - writesBefore).toBeLessThanOrEqual(accounts.length)
  await drainAll(sending)
  expect(endpoint.requests).toHaveLength(callsAtFirst)

  bench.clock.advance(2 * minuteMs)
  await drainAll(await fire())
  expect(endpoint.requests).toHaveLength(callsAtFirst + 1)

  for (const account of accounts) {
    expect((await eventsOf(bench, account)).map(({ type }) => type)).toEqual(['app.fault'])
  }
  const found = await bench.channels.findMany(channels.map(({ id }) => id))
  expect(
    new Set(found.map(presentChannel).map(({ auth, connection }) => `${auth.state}, ${connection.state}`)),
  ).toEqual(new Set(['connected, ok']))
  expect(smtp.mails).toHaveLength(0)

  endpoint.always = undefined
  bench.clock.advance(2 * minuteMs)
  // Whoever comes next finds that the app works again; `schedule` rings for the others.
  const [tried] = reading
  if (tried) expect(await bench.tokens.accessToken(tried)).toMatch(/^access-/)
  await drainAll(await fire())
  const subjects = smtp.mails.map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw.toString())?.[1])
  expect(subjects.sort()).toEqual(sending.map(({ id }) => id).sort())
  await eachOf(reading, async channel => {
    expect(await bench.tokens.accessToken(channel)).toMatch(/^access-/)
  })
}, 120_000)
