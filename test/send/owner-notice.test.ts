/** A mail to the owner of a broken mailbox, from another channel of its account: once a prompt, and never from elsewhere. */

import type { SQSRecord } from 'aws-lambda'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { OwnerNotice } from '../../functions/channel/queue-bodies.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { type SendServices, send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { addChannel, eventsOf } from '../support/workbench.ts'

const engines = useEngines()
const dayMs = 24 * 3600_000

/** A channel that can send, and one of the same account that is to be reconnected and says so from it. */
async function start(changes: Partial<Channel> = {}, to: string | null = null) {
  const { bench, channel: sender, smtp } = await startSendingChannel(engines)
  const ownerNotice = { from: sender.id, to }
  const broken = await addChannel(bench, { email: 'grace@contoso.example', ownerNotice, ...changes })
  const services: SendServices = {
    ...bench,
    appName: 'Helpdesk',
    bury: async ({ body }) => expect.fail(`buried: ${body}`),
  }
  return {
    bench,
    sender,
    broken,
    fail: () => bench.health.failed(broken, 'imap', new PostroomError('grant_revoked')),
    async take(notices: OwnerNotice[]) {
      const records = notices.map((notice, index) => recordOf(notice, index))
      return send(records, { services, deadlineMs: bench.now() + invocationMs })
    },
    mails: () => smtp.mails.map(({ raw, to: recipients }) => ({ text: textOf(raw), recipients })),
  }
}

function recordOf(body: object, index: number): SQSRecord {
  const attributes = { ApproximateReceiveCount: '1', SentTimestamp: '', SenderId: '' }
  return {
    messageId: `record-${index}`,
    body: JSON.stringify(body),
    receiptHandle: '',
    attributes: { ...attributes, ApproximateFirstReceiveTimestamp: '' },
    messageAttributes: {},
    md5OfBody: '',
    eventSource: 'aws:sqs',
    eventSourceARN: '',
    awsRegion: '',
  }
}

/** Quoted-printable undone as far as these mails use it. */
const textOf = (raw: Buffer) => raw.toString().replaceAll('=\r\n', '').replaceAll('=3D', '=')

test('the owner gets a mail from the other channel, with the reason and a link that works', async () => {
  const { bench, broken, fail, take, mails } = await start()
  await fail()
  expect(bench.queues.notices).toMatchObject([{ ownerNotice: { channelId: broken.id, reminder: 0 } }])
  await take(bench.queues.notices)
  const [mail, ...more] = mails()
  expect(more).toEqual([])
  expect(mail?.recipients).toEqual(['grace@contoso.example'])
  expect(mail?.text).toContain('Subject: Please reconnect the mailbox grace@contoso.example')
  expect(mail?.text).toContain('Helpdesk can no longer use the mailbox')
  expect(mail?.text).toContain('The provider ended our access.')
  expect(mail?.text).toContain('Auto-Submitted: auto-generated')
  const [, ticket = ''] = /http:\/\/localhost:4400\/connect\/(\S+)/.exec(mail?.text ?? '') ?? []
  const [id = '', secret = ''] = ticket.split('.')
  expect((await bench.links.channelOf(id, secret)).id).toBe(broken.id)
})

test('the mail goes to another address, if one was given', async () => {
  const { bench, fail, take, mails } = await start({}, 'grace.private@outside.example')
  await fail()
  await take(bench.queues.notices)
  expect(mails().map(({ recipients }) => recipients)).toEqual([['grace.private@outside.example']])
})

test('a notice that comes twice, at once or later, is one mail', async () => {
  const { bench, fail, take, mails } = await start()
  await fail()
  const [notice] = bench.queues.notices
  if (!notice) throw new Error('There is no notice')
  await Promise.all([take([notice]), take([notice])])
  await take([notice, notice])
  expect(mails()).toHaveLength(1)
})

test('each reminder is a mail of its own', async () => {
  const { bench, fail, take, mails } = await start()
  await fail()
  const minutes = { due: async () => [], done: async () => {} }
  const keepAlive = { next: async () => undefined, done: async () => {} }
  for (let day = 0; day < 9; day++) {
    await schedule({ ...bench, minutes, keepAlive })
    bench.clock.advance(dayMs)
  }
  expect(bench.queues.notices.map(({ ownerNotice }) => ownerNotice.reminder)).toEqual([0, 1, 2, 3])
  // The sender's token has ended by then, and gets renewed.
  await take(bench.queues.notices)
  expect(mails()).toHaveLength(4)
})

test('what was cured meanwhile is not written about, nor is what was given up', async () => {
  const { bench, broken, fail, take, mails } = await start()
  const failed = await fail()
  await bench.channels.change(broken.id, { disconnectedAt: new Date(bench.now()).toISOString() })
  await take(bench.queues.notices)
  await bench.channels.change(broken.id, { disconnectedAt: null, auth: { ...failed.auth, since: 'later' } })
  await take(bench.queues.notices)
  await bench.health.proven(await bench.channels.get(broken.id), { auth: broken.auth })
  await take(bench.queues.notices)
  expect(mails()).toEqual([])
})

test.each<[string, Partial<Channel>]>([
  ['of another account (I6)', { accountId: 'other' }],
  ['that is broken itself', { auth: { state: 'reconnect_required', fault: null, since: '' } }],
  ['that was disconnected', { disconnectedAt: '2026-01-01T00:00:00.000Z' }],
])('nothing is written from a channel %s, and the app has its event all the same', async (_what, changes) => {
  const { bench, sender, broken, fail, take, mails } = await start()
  const stored = { ...(await bench.main.get({ pk: `CHANNEL#${sender.id}`, sk: 'CHANNEL' })), ...changes }
  await bench.main.put({ pk: `CHANNEL#${sender.id}`, sk: 'CHANNEL', ...stored })
  await fail()
  expect(await take(bench.queues.notices)).toEqual({ batchItemFailures: [] })
  expect(mails()).toEqual([])
  expect(await bench.outbox.rows(sender.id, 10)).toEqual([])
  const told = (await eventsOf(bench)).filter(({ channelId }) => channelId === broken.id)
  expect(told.map(({ type }) => type)).toEqual(['channel.reconnect_required'])
})

test('without the setting, nobody is written to; nor for what an administrator must mend', async () => {
  const { bench, broken } = await start()
  await bench.health.failed(broken, 'smtp', new PostroomError('smtp_disabled'))
  const silent = await addChannel(bench)
  await bench.health.failed(silent, 'smtp', new PostroomError('grant_revoked'))
  expect(bench.queues.notices).toEqual([])
})

test('I9: neither the queue nor a log line holds the link', async () => {
  const lines: string[] = []
  const spy = vi.spyOn(console, 'log').mockImplementation(line => void lines.push(String(line)))
  onTestFinished(() => spy.mockRestore())
  const { bench, fail, take, mails } = await start()
  await fail()
  await take(bench.queues.notices)
  const [, secret = ''] = /connect\/[^.]+\.([\w-]{43})/.exec(mails()[0]?.text ?? '') ?? []
  expect(secret).not.toBe('')
  expect(JSON.stringify([lines, bench.queues.notices])).not.toContain(secret)
})
