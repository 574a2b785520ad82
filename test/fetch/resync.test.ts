/** UIDVALIDITY changed: mail that was told is not told again, mail that was not is, and old mail stays old. */

import { beforeEach, expect, test } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
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
})

const poll = async () =>
  pollMailbox(await bench.channels.get(channel.id), {
    services: bench,
    deadlineMs: bench.now() + 60_000,
    isRequested: false,
  })
const told = async () =>
  (await eventsOf(bench))
    .filter(({ type }) => type === 'message.received')
    .map(({ data }) => String(data.message?.subject))

/** The server counts anew: what we know of the folder is about UIDs that mean nothing any more. */
const forgetUids = () =>
  bench.main.put({
    pk: `CHANNEL#${channel.id}`,
    sk: 'CURSOR#INBOX',
    uidValidity: 'before',
    lastUid: 99_999,
    floorUid: 0,
    recent: [],
    retries: [],
    backfill: null,
    caughtUpAt: new Date(bench.now()).toISOString(),
    auditAt: null,
    version: 7,
  })

test('mail that was told is not told again, mail in between is', async () => {
  channel = await mailboxes.connect(bench, 'ada')
  await deliver('ada', { subject: 'known' })
  await poll()
  await deliver('ada', { subject: 'in between' })
  await forgetUids()
  await poll()
  await deliver('ada', { subject: 'after' })
  await poll()
  expect(await told()).toEqual(['known', 'in between', 'after'])
})

test('mail from before the channel was connected stays untold', async () => {
  await deliver('margaret', { subject: 'older than the channel' })
  clock.advance(60_000)
  channel = await mailboxes.connect(bench, 'margaret')
  await poll()
  await forgetUids()
  await poll()
  expect(await told()).toEqual([])
})

test('mail without a Message-ID is not told again either', async () => {
  channel = await mailboxes.connect(bench, 'grace')
  await deliver(
    'grace',
    'From: customer@outside.example\nSubject: no id\nDate: Tue, 24 Nov 2026 10:00:00 +0000\n\nHi\n',
  )
  await poll()
  await forgetUids()
  await poll()
  expect(await told()).toEqual(['no id'])
})
