/** What servers get wrong about single mails: their size, their bytes, their place. No mail is lost, no mailbox stops. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import type { ImapSession, MailHead } from '../../functions/channel/imap-reader.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { eventsOf, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock, deliver } = mailboxes

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
  clock.advance(2_000)
  channel = await mailboxes.connect(bench, 'ada')
  // Reading begins here: what comes now is new.
  await poll()
})

/** @param strange what the server does otherwise */
async function poll(strange: (session: ImapSession) => Partial<ImapSession> = () => ({})) {
  const { providers, apps } = mailboxes
  const services = openWorkbench(bench.stores, { providers, apps, clock })
  const { open } = services.imap
  services.imap = {
    ...services.imap,
    open: async (...args) => {
      const session = await open(...args)
      return { ...session, ...strange(session) }
    },
  }
  const deadlineMs = bench.now() + 3600_000
  await pollMailbox(await services.channels.get(channel.id), { services, deadlineMs, isRequested: false })
}

const withSizes =
  (sizeBytes: number) =>
  (session: ImapSession): Partial<ImapSession> => {
    const wrong = (heads: MailHead[]) => heads.map(head => ({ ...head, sizeBytes }))
    return {
      open: async (...args) => {
        const opened = await session.open(...args)
        return { ...opened, heads: wrong(opened.heads) }
      },
      heads: async range => wrong(await session.heads(range)),
      headsOf: async uids => wrong(await session.headsOf(uids)),
    }
  }

const messages = async () =>
  (await bench.messages.list({ channelId: channel.id, direction: 'inbound', after: undefined, limit: 20 }))
    .items
const rawOf = async (key: string | undefined) => Buffer.from((await bench.mail.read(key ?? '')) ?? [])
const told = async () =>
  (await eventsOf(bench)).filter(({ type }) => type === 'message.received').map(({ data }) => data.message)
const largeMail = (bytes: number) =>
  Buffer.from(
    `From: customer@outside.example\r\nSubject: large\r\nMessage-ID: <large@outside.example>\r\n\r\n${'a line of text\r\n'.repeat(bytes / 16)}`,
  )

test.each([10, 30_000_000])('a mail of 5 MB is taken whole, where the server says %d bytes', async size => {
  const raw = largeMail(5_000_000)
  await deliver('ada', raw)
  await deliver('ada', { subject: 'after it' })
  await poll(withSizes(size))
  const found = await messages()
  const large = found.find(({ subject }) => subject === 'large')
  expect(large).toMatchObject({ fault: null, sizeBytes: raw.byteLength })
  expect((await rawOf(large?.rawKey ?? undefined)).equals(raw)).toBe(true)
  expect((await told()).map(message => message?.subject).sort()).toEqual(['after it', 'large'])
})

test('of a mail above the limit the app gets the beginning and the reason, and the next mail is taken', async () => {
  const raw = largeMail(300_000)
  await deliver('ada', raw)
  const tooLarge = 50 * 1024 * 1024
  await poll(withSizes(tooLarge))
  await deliver('ada', { subject: 'after it' })
  await poll()
  const [large, after] = await told()
  expect(large).toMatchObject({ subject: 'large', fault: { code: 'mail_too_large' } })
  expect(after).toMatchObject({ subject: 'after it', fault: null })
  const kept = await rawOf((await messages()).find(({ subject }) => subject === 'large')?.rawKey ?? undefined)
  expect(kept.equals(raw.subarray(0, 128 * 1024))).toBe(true)
})

test('a mail the server lists and does not give is told as such at the third try, and holds up no other', async () => {
  const uid = await deliver('ada', { subject: 'withheld' })
  await deliver('ada', { subject: 'after it' })
  const withholding = (session: ImapSession): Partial<ImapSession> => ({
    mails: (heads, keepBytes) =>
      session.mails(
        heads.filter(head => head.uid !== uid),
        keepBytes,
      ),
  })
  await poll(withholding)
  expect(await told()).toMatchObject([{ subject: 'after it' }])
  await poll(withholding)
  expect(await told()).toHaveLength(1)
  await poll(withholding)
  const [, given] = await told()
  expect(given).toMatchObject({ fault: { code: 'mail_unavailable' } })
  await poll()
  expect(await told()).toHaveLength(2)
})

test('a mail that was withheld once and is given then is told like any other', async () => {
  await deliver('ada', { subject: 'withheld once' })
  await poll(() => ({
    async *mails() {},
  }))
  expect(await told()).toEqual([])
  await poll()
  expect(await told()).toMatchObject([{ subject: 'withheld once', fault: null }])
})

test('a mail that the server numbers, and shows only later, is told though no other mail comes', async () => {
  await deliver('ada', { subject: 'not shown yet' })
  await poll(session => ({
    open: async (...args) => ({ ...(await session.open(...args)), heads: [] }),
    heads: async () => [],
  }))
  expect(await told()).toEqual([])
  await poll()
  expect(await told()).toEqual([])
  // Not at once, since what a rule has moved away leaves the same gap behind in every busy mailbox.
  const key = { pk: `CHANNEL#${channel.id}`, sk: 'CURSOR#INBOX' }
  const { auditAt } = (await bench.main.get(key)) ?? {}
  const dueInMs = Date.parse(String(auditAt)) - bench.now()
  expect(dueInMs).toBeGreaterThan(0)
  expect(dueInMs).toBeLessThanOrEqual(3600_000)
  await bench.main.put({
    ...key,
    ...(await bench.main.get(key)),
    auditAt: new Date(bench.now()).toISOString(),
  })
  await poll()
  expect(await told()).toMatchObject([{ subject: 'not shown yet' }])
})

test('the audit finds a mail that the cursor has passed, and tells it', async () => {
  const key = { pk: `CHANNEL#${channel.id}`, sk: 'CURSOR#INBOX' }
  await deliver('ada', { subject: 'known' })
  await poll()
  const uid = await deliver('ada', { subject: 'passed over' })
  const cursor = await bench.main.get(key)
  const auditAt = new Date(bench.now() + 60_000).toISOString()
  await bench.main.put({ ...key, ...cursor, lastUid: uid, recent: [uid - 1, uid], auditAt })
  await poll()
  expect(await told()).toMatchObject([{ subject: 'known' }])
  clock.advance(120_000)
  await poll()
  expect(await told()).toMatchObject([{ subject: 'known' }, { subject: 'passed over' }])
  // What was found is reason to look again, a day later.
  const { auditAt: next } = (await bench.main.get(key)) ?? {}
  expect(Date.parse(String(next))).toBeGreaterThan(bench.now() + 23 * 3600_000)
})
