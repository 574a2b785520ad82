/** With no doorbell but those of the minute, all work is finished: whoever accepted or crashed has told nobody. */

import type { SQSRecord } from 'aws-lambda'
import { expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { leaseKeys } from '../../functions/channel/lease.ts'
import type { SentFolder } from '../../functions/channel/sent-folder.ts'
import { openKeepAlive } from '../../functions/schedule/keep-alive.ts'
import { openMinutes } from '../../functions/schedule/minutes.ts'
import { schedule } from '../../functions/schedule/schedule.ts'
import { send } from '../../functions/send/send.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { addChannel, eventsOf, recordQueues } from '../support/workbench.ts'

const engines = useEngines()
const minuteMs = 60_000

/** Nothing lies in Sent. */
const emptySent: SentFolder = {
  find: async () => undefined,
  append: async () => undefined,
  close: async () => undefined,
}

/** One firing of the real schedule; then `send` has what it rang for, and nothing else. @returns how many it rang for */
async function minute({ bench }: SendingChannel): Promise<number> {
  const queues = recordQueues()
  await schedule({ ...bench, minutes: openMinutes(bench), keepAlive: openKeepAlive(bench), queues }).catch(
    () => undefined,
  )
  const doorbells = queues.rings.map(
    channelId => ({ messageId: channelId, body: JSON.stringify({ channelId }) }) as SQSRecord,
  )
  const services = { ...bench, openSent: async () => emptySent, bury: async () => undefined }
  // What fails comes again with the next minute, not from the queue.
  await send(doorbells, { services, deadlineMs: bench.now() + invocationMs })
  bench.clock.advance(minuteMs)
  return doorbells.length
}

test('schedule alone sends all messages, publishes all events, and takes over from drains that died', async () => {
  const sending = await startSendingChannel(engines)
  const { bench, smtp } = sending
  let keys = 0
  const queue = (channel: Channel, subject: string, changes: object = {}) => {
    bench.clock.advance(1)
    const document = { to: [{ address: 'customer@outside.example' }], subject, text: 'Hi', ...changes }
    return accept({ channel, idempotencyKey: `alone-${++keys}`, document }, bench)
  }
  const login = (name: string) => ({ imap: `${name}@contoso.example`, smtp: `${name}@contoso.example` })
  const tokens = { accessToken: 'access-0' }

  // A drain of this one has died with a body under way, its lease not given back.
  const died = sending.channel
  const underWay = await queue(died, 'under way')
  await bench.messages.change(underWay.id, { state: 'sending', attempt: 1 })
  await bench.main.put({
    ...leaseKeys.outbox(died.id),
    holder: 'dead',
    untilMs: bench.now() + minuteMs,
    bell: 0,
  })
  const behind = await queue(died, 'behind it')
  // This one's mails are for now, for later, and refused for a while.
  const mixed = await addChannel(bench, { login: login('mixed'), tokens })
  const sent = [behind, await queue(mixed, 'now')]
  const sendAt = new Date(bench.now() + 10 * minuteMs).toISOString()
  sent.push(await queue(mixed, 'later', { sendAt }))
  smtp.recipients['busy@outside.example'] = '450 4.2.1 Mailbox busy'
  sent.push(await queue(mixed, 'refused at first', { to: [{ address: 'busy@outside.example' }] }))
  // A setting is in this one's way; and a crash came before that was told.
  const at = new Date(bench.now()).toISOString()
  const parked = await addChannel(bench, {
    login: login('parked'),
    tokens,
    access: { imap: { state: 'ok', fault: null }, smtp: { state: 'blocked', fault: null } },
    unannounced: [{ type: 'channel.blocked', at }],
  })
  sent.push(await queue(parked, 'parked'))

  const isDown = ({ service }: { service: string }) => service === 'sns'
  for (let minutes = 0; minutes < 40; minutes++) {
    // Nothing can be told in the first minutes.
    bench.stores.failWhen(minutes < 3 ? isDown : () => false)
    if (minutes === 5) {
      smtp.recipients = {}
      await bench.channels.change(parked.id, {
        access: { imap: { state: 'ok', fault: null }, smtp: { state: 'ok', fault: null } },
      })
      // As the API's retry does, whose doorbell is lost.
      const [row] = await bench.outbox.rows(parked.id, 1)
      if (row) await bench.outbox.postpone(row, new Date(bench.now()).toISOString())
    }
    await minute(sending)
  }

  for (const message of sent) expect(await sending.latest(message)).toMatchObject({ state: 'sent' })
  expect(await sending.latest(underWay)).toMatchObject({ state: 'uncertain', sentLook: null })
  expect(sending.subjects().toSorted()).toEqual(
    ['behind it', 'later', 'now', 'parked', 'refused at first'].toSorted(),
  )
  for (const { id } of [died, mixed, parked]) expect(await bench.outbox.rows(id, 10)).toEqual([])
  const told = (await eventsOf(bench)).map(({ type, data }) =>
    data.message ? `${type} ${data.message.subject}` : type,
  )
  expect(told.toSorted()).toEqual(
    [
      'channel.blocked',
      'message.parked parked',
      'message.uncertain under way',
      ...sent.map(({ subject }) => `message.sent ${subject}`),
    ].toSorted(),
  )
  expect(await minute(sending)).toBe(0)
}, 60_000)
