/** Polling a mailbox of the sandbox: each new mail is told exactly once, and an idle poll costs nothing. */

import { beforeEach, expect, test } from 'vitest'
import type { Trouble } from '../../functions/channel/channel-health.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { describeFault, PostroomError } from '../../functions/channel/faults.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { thrownBy } from '../support/thrown-error.ts'
import {
  eventsOf,
  eventTypes,
  openWorkbench,
  storedObjects,
  type Workbench,
  writesIn,
} from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock, deliver } = mailboxes
const hourMs = 3600_000

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
  clock.advance(2_000)
  channel = await mailboxes.connect(bench, 'ada')
})

/** A poll by another process: a workbench of its own over the same stores. */
async function poll(
  polled = channel,
  { deadlineMs = bench.now() + hourMs, isRequested = false } = {},
): Promise<void> {
  const { providers, apps } = mailboxes
  const services = openWorkbench(bench.stores, { providers, apps, clock })
  const current = await services.channels.get(polled.id)
  await pollMailbox(current, {
    services: services,
    deadlineMs,
    isRequested,
  })
}

/** Subjects of the mails that were told, in the order of the log. */
const told = async () =>
  (await eventsOf(bench))
    .filter(({ type }) => type === 'message.received')
    .map(({ data }) => String(data.message?.subject))

const cursorKey = () => ({ pk: `CHANNEL#${channel.id}`, sk: 'CURSOR#INBOX' })

test('the first poll tells what came since the consent, and nothing older', async () => {
  clock.advance(-5_000)
  await deliver('ada', { subject: 'old' })
  clock.advance(5_000)
  await deliver('ada', { subject: 'new 1' })
  await deliver('ada', { subject: 'new 2' })
  await poll()
  expect(await told()).toEqual(['new 1', 'new 2'])
})

test('a first window in the past tells older mail as well', async () => {
  const since = new Date(bench.now()).toISOString()
  await deliver('ada', { subject: 'from before the consent' })
  clock.advance(10_000)
  const early = await mailboxes.connect(bench, 'ada', { id: 'ch_early', fetchSince: since })
  await poll(early)
  expect(await told()).toEqual(['from before the consent'])
})

test('a mail is stored with its raw bytes, its content and where it was', async () => {
  const uid = await deliver('ada', { subject: 'Ä question', text: 'Why?' })
  await poll()
  const { items } = await bench.messages.list({
    channelId: channel.id,
    direction: 'inbound',
    after: undefined,
    limit: 10,
  })
  expect(items).toMatchObject([
    { state: 'received', subject: 'Ä question', folder: 'INBOX', uid, accountId: 'acme', fault: null },
  ])
  const [message] = items
  expect(Buffer.from((await bench.mail.read(message?.rawKey ?? '')) ?? []).toString()).toContain(
    'customer@outside.example',
  )
  expect((await bench.messages.readContent(message?.contentKey ?? '')).text?.trim()).toBe('Why?')
})

test('nothing new: not a single write, and no event', async () => {
  await deliver('ada', {})
  await poll()
  const before = writesIn(bench.stores)
  await poll()
  await poll()
  expect(writesIn(bench.stores)).toBe(before)
  expect(await told()).toHaveLength(1)
})

test('an idle poll of a process that is warm makes no call of KMS and none of S3', async () => {
  const services = bench
  const again = async () =>
    pollMailbox(await bench.channels.get(channel.id), {
      services,
      deadlineMs: bench.now() + hourMs,
      isRequested: false,
    })
  await again()
  const before = bench.stores.calls.length
  await again()
  expect(bench.stores.calls.slice(before).map(({ command }) => command)).toEqual(
    expect.not.arrayContaining([
      'DecryptCommand',
      'GenerateDataKeyCommand',
      'PutObjectCommand',
      'GetObjectCommand',
    ]),
  )
})

/** A mailbox of a process whose clock runs ahead of the sandbox's, which looks at its tokens by its own. */
async function mailboxAhead() {
  const { providers, apps } = mailboxes
  const ahead = openWorkbench(await engines.fresh(), { providers, apps })
  const { id } = await mailboxes.connect(ahead, 'margaret')
  const latest = () => ahead.channels.get(id)
  const readAt = async () => Date.parse((await latest()).lastFetchedAt ?? '')
  const pollAfter = async (ms: number, { isRequested = false, ...changed }: Partial<PollChanges> = {}) => {
    ahead.clock.advance(ms)
    const services = { ...ahead, ...changed }
    await pollMailbox(await latest(), { services, deadlineMs: ahead.now() + hourMs, isRequested })
  }
  return { ahead, id, latest, readAt, pollAfter }
}

type PollChanges = Pick<Workbench, 'imap'> & { isRequested: boolean }

test('when a quiet mailbox was last read is known to three hours, for one write in as long, and exactly once asked for', async () => {
  const { ahead, readAt, pollAfter } = await mailboxAhead()
  const times = []
  for (let polls = 0; polls <= 12; polls++) {
    await pollAfter(hourMs / 2)
    times.push(await readAt())
    expect(ahead.now() - (times.at(-1) ?? 0)).toBeLessThan(3 * hourMs)
  }
  expect(new Set(times).size).toBe(3)
  const asked = ahead.now()
  await pollAfter(1_000, { isRequested: true })
  expect(await readAt()).toBeGreaterThan(asked)
})

test('a poll that fails leaves the time of the last one that did not, and the first good one renews it', async () => {
  const { ahead, readAt, pollAfter } = await mailboxAhead()
  await pollAfter(0)
  const before = await readAt()
  const imap = { open: () => Promise.reject(new PostroomError('imap_unreachable')) }
  for (let polls = 0; polls < 4; polls++) {
    await thrownBy(() => pollAfter(hourMs, { imap }))
    expect(await readAt()).toBe(before)
  }
  const mended = ahead.now()
  await pollAfter(hourMs)
  expect(await readAt()).toBeGreaterThan(mended)
})

test('that a quiet mailbox was read makes it no busier', async () => {
  const { ahead, id, latest, readAt, pollAfter } = await mailboxAhead()
  const lastActiveAt = new Date(ahead.now() - 48 * hourMs).toISOString()
  await ahead.channels.change(id, { lastActiveAt })
  await pollAfter(0)
  expect(await readAt()).not.toBeNaN()
  expect((await latest()).lastActiveAt).toBe(lastActiveAt)
})

test('polls that overlap tell each mail once', async () => {
  await deliver('ada', { subject: '1' })
  await deliver('ada', { subject: '2' })
  await Promise.all([poll(), poll(), poll()])
  await poll()
  expect((await told()).sort()).toEqual(['1', '2'])
})

test.each([
  ['S3', 'PutObjectCommand'],
  ['the message row', 'PutItemCommand'],
  ['SNS', 'PublishCommand'],
])(
  'the cursor waits until the mail is safe: while %s fails nothing is skipped, then each is told once',
  async (_what, command) => {
    await poll()
    await deliver('ada', { subject: '1' })
    await deliver('ada', { subject: '2' })
    const cursor = await bench.main.get(cursorKey())
    bench.stores.failWhen(call => call.command === command)
    await expect(poll()).rejects.toThrow()
    expect(await bench.main.get(cursorKey())).toEqual(cursor)
    bench.stores.failWhen(() => false)
    await poll()
    await poll()
    expect(await told()).toEqual(['1', '2'])
  },
)

test.each(Array.from({ length: 9 }, (_, write) => write))(
  'I5: a poll that dies at its write no. %i loses nothing and tells nothing twice',
  async dies => {
    await poll()
    await deliver('ada', { subject: '1' })
    await deliver('ada', { subject: '2' })
    let writes = 0
    bench.stores.failWhen(({ command }) => /^(Put|Update|Publish)/.test(command) && writes++ >= dies)
    await poll().catch(() => undefined)
    bench.stores.failWhen(() => false)
    await poll()
    expect((await told()).sort()).toEqual(['1', '2'])
  },
)

test('a poll that has no time left begins no mail, and the next one goes on', async () => {
  await poll()
  await deliver('ada', { subject: 'later' })
  await poll(channel, { deadlineMs: bench.now() - 1 })
  expect(await told()).toEqual([])
  await poll()
  expect(await told()).toEqual(['later'])
})

function troubleUntil(until: string): Trouble {
  const fault = describeFault(new PostroomError('imap_unreachable'))
  return { fault, failures: 1, since: until, until, doubt: null }
}

test.each([
  ['needs a reconnect', { auth: { state: 'reconnect_required', fault: null, since: '' } }],
  ['was disconnected', { disconnectedAt: '2026-11-24T10:00:00.000Z' }],
  ['is backing off', { imapTrouble: troubleUntil('2999-01-01T00:00:00.000Z') }],
] as const)('a channel that %s is not polled', async (_what, change) => {
  await bench.channels.change(channel.id, { ...change })
  await deliver('ada', {})
  await poll()
  expect(await told()).toEqual([])
})

test('a channel whose back-off is over is polled, and is well again', async () => {
  const until = new Date(bench.now() - 1).toISOString()
  await bench.channels.change(channel.id, { imapTrouble: troubleUntil(until) })
  await deliver('ada', { subject: 'at last' })
  await poll()
  expect(await told()).toEqual(['at last'])
  expect((await bench.channels.get(channel.id)).imapTrouble).toBeNull()
})

test('the alias opens the mailbox by IMAP: the founding story’s other half', async () => {
  const grace = await mailboxes.connect(bench, 'grace', {
    login: { imap: 'Grace.Hopper@tenant-b.example', smtp: 'grace@tenant-a.example' },
  })
  await deliver('grace', { subject: 'to grace' })
  await poll(grace)
  expect(await told()).toEqual(['to grace'])
})

test('S8: a login that was stored wrongly heals at the first refusal, and the mail is told', async () => {
  const login = { imap: 'margaret@fabrikam.example', smtp: 'margaret@fabrikam.example' }
  const wrong = await mailboxes.connect(bench, 'ada', { login })
  await deliver('ada', { subject: 'healed' })
  await poll(wrong)
  const right = { imap: 'ada@contoso.example', smtp: 'ada@contoso.example' }
  expect((await bench.channels.get(wrong.id)).login).toEqual(right)
  expect((await eventTypes(bench)).sort()).toEqual(['channel.login_healed', 'message.received'])
})

test('a grant that was revoked asks for a reconnect, once', async () => {
  const linus = await mailboxes.connect(bench, 'linus')
  await poll(linus)
  const grant = await bench.grants.read({
    grantId: linus.grantId,
    accountId: linus.accountId,
    channelId: linus.id,
  })
  const { refreshToken } = await bench.grants.open(
    { grantId: linus.grantId, accountId: linus.accountId, channelId: linus.id },
    grant,
  )
  await fetch(`${mailboxes.sandbox.origin}/google/revoke`, {
    method: 'POST',
    body: new URLSearchParams({ token: refreshToken }),
  })
  expect((await thrownBy(() => poll(linus))).code).toBe('grant_revoked')
  await poll(linus)
  expect((await bench.channels.get(linus.id)).auth).toMatchObject({
    state: 'reconnect_required',
    fault: { code: 'grant_revoked', actor: 'owner' },
  })
  expect(await eventTypes(bench)).toEqual(['channel.reconnect_required'])
})

test('I6: every object of a mail lies under its account', async () => {
  await deliver('ada', {})
  await poll()
  for (const key of await storedObjects(bench)) expect(key).toMatch(/^accounts\/acme\/inbound\//)
})

test.each([
  { times: 1, subjects: ['first', 'second'] },
  { times: 2, subjects: [] },
])(
  'of sessions that the server ends, the first is followed by another at once: $times',
  async ({ times, subjects }) => {
    await deliver('ada', { subject: 'first' })
    await deliver('ada', { subject: 'second' })
    const { providers, apps } = mailboxes
    const services = openWorkbench(bench.stores, { providers, apps, clock })
    let opened = 0
    const { open } = services.imap
    services.imap = {
      ...services.imap,
      open: async (...args) => {
        const session = await open(...args)
        if (++opened > times) return session
        return {
          ...session,
          arrivedSince: () => Promise.reject(new PostroomError('imap_session_ended')),
        }
      },
    }
    const polled = pollMailbox(channel, { services, deadlineMs: bench.now() + hourMs, isRequested: false })
    if (times === 1) await polled
    else expect((await thrownBy(() => polled)).code).toBe('imap_session_ended')
    expect(opened).toBe(2)
    expect(await told()).toEqual(subjects)
  },
)
