/** Reports put to the mail they are about; those of strangers change nothing. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { OutboundMessage } from '../../functions/channel/messages.ts'
import { ingest } from '../../functions/fetch/ingest.ts'
import { useEngines } from '../support/engines.ts'
import { providersWith } from '../support/test-providers.ts'
import { addChannel, eventsOf, openWorkbench, type Workbench } from '../support/workbench.ts'
import { bounceMails, complaintMail, delayMails } from './reports.ts'

const engines = useEngines()
const customer = 'customer@outside.example'
let bench: Workbench
let channel: Channel
let count = 0

beforeEach(async () => {
  bench = openWorkbench(await engines.fresh(), { providers: providersWith({}) })
  channel = await addChannel(bench)
})

async function send(from: Channel, ...to: string[]): Promise<OutboundMessage> {
  const document = { to: to.map(address => ({ address })), subject: 'Order', text: 'It left.' }
  return accept({ channel: from, idempotencyKey: `k${++count}`, document }, bench)
}

async function arrive(text: string, id = `msg_in_${++count}`) {
  const mail = {
    ...{
      uid: count,
      receivedAt: new Date('2026-11-24T10:00:00Z'),
      sizeBytes: text.length,
      gmailId: null,
      gmailThreadId: null,
    },
    ...{ raw: Buffer.from(text.replace(/\r?\n/g, '\r\n')), omittedBytes: 0 },
  }
  await ingest(mail, {
    ...{ channel, folder: 'INBOX', uidValidity: '1', id, isRenumbered: false, services: bench },
  })
  return bench.messages.get(id)
}

async function bouncesOf({ id }: { id: string }) {
  const message = await bench.messages.get(id)
  return message.direction === 'outbound' ? (message.bounces ?? []) : []
}

const bounced = async () => (await eventsOf(bench)).filter(({ type }) => type === 'message.bounced')
const about = (message: OutboundMessage, recipient = customer) => ({
  messageId: message.messageId,
  recipient,
})
const standard = (message: OutboundMessage, recipient = customer) =>
  bounceMails['RFC 3464']?.(about(message, recipient)) ?? ''

test.each(Object.entries(bounceMails))(
  'a bounce by %s stands with the mail that bounced',
  async (_server, mail) => {
    const sent = await send(channel, customer)
    const received = await arrive(mail(about(sent)))
    expect(received).toMatchObject({ report: { kind: 'bounce', about: sent.id } })
    const bounce = {
      kind: 'bounce',
      recipient: customer,
      status: '5.1.1',
      isPermanent: true,
      reportId: received.id,
    }
    expect(await bouncesOf(sent)).toMatchObject([bounce])
    expect((await bounced()).map(({ data }) => data)).toMatchObject([
      { bounce, message: { id: sent.id, direction: 'outbound', text: 'It left.', bounces: [bounce] } },
    ])
  },
)

test('a complaint is a bounce of its own kind', async () => {
  const sent = await send(channel, customer)
  await arrive(complaintMail(about(sent)))
  expect(await bouncesOf(sent)).toMatchObject([{ kind: 'complaint', recipient: customer, isPermanent: true }])
  expect((await bounced())[0]?.data.bounce).toMatchObject({ kind: 'complaint' })
})

test('a delay is no bounce', async () => {
  const sent = await send(channel, customer)
  for (const mail of Object.values(delayMails)) {
    expect(await arrive(mail(about(sent)))).toMatchObject({ report: { kind: 'delay', about: sent.id } })
  }
  expect(await bouncesOf(sent)).toEqual([])
  expect(await bounced()).toEqual([])
})

test('each of several recipients bounces by itself, in its own time', async () => {
  const sent = await send(channel, customer, 'second@outside.example', 'third@outside.example')
  await arrive(standard(sent))
  await arrive(standard(sent, 'Second@Outside.example'))
  expect((await bouncesOf(sent)).map(({ recipient }) => recipient)).toEqual([
    customer,
    'second@outside.example',
  ])
  expect(await bounced()).toHaveLength(2)
})

test('two reports that come together are both noted', async () => {
  const sent = await send(channel, customer, 'second@outside.example')
  await Promise.all([arrive(standard(sent)), arrive(standard(sent, 'second@outside.example'))])
  expect(await bouncesOf(sent)).toHaveLength(2)
})

test('a report that is read again after a crash is one bounce and one event', async () => {
  const sent = await send(channel, customer)
  bench.stores.failWhen(
    ({ service, command, input }) =>
      service === 'dynamodb' && command === 'PutItemCommand' && JSON.stringify(input).includes('"received"'),
  )
  await expect(arrive(standard(sent), 'msg_in_again')).rejects.toThrow()
  bench.stores.failWhen(() => false)
  await arrive(standard(sent), 'msg_in_again')
  expect(await bouncesOf(sent)).toHaveLength(1)
  expect(await bounced()).toHaveLength(1)
})

test('who forwarded it bounces under another address; with one recipient it is theirs', async () => {
  const sent = await send(channel, customer)
  await arrive(standard(sent, 'elsewhere@forward.example'))
  expect(await bouncesOf(sent)).toMatchObject([{ recipient: customer }])
})

test.each([
  [
    'of nothing we sent',
    async () => ({ ...(await send(channel, customer)), messageId: '<made-up@contoso.example>' }),
  ],
  [
    'of what another channel sent (I6)',
    async () => send(await addChannel(bench, { accountId: 'other' }), customer),
  ],
])('a forged bounce %s changes nothing', async (_what, forged) => {
  const sent = await forged()
  const received = await arrive(standard(sent))
  expect(received).toMatchObject({ report: { kind: 'bounce', about: null } })
  expect(await bouncesOf(sent)).toEqual([])
  expect(await bounced()).toEqual([])
})

test('a forged bounce of a recipient the mail never had changes nothing', async () => {
  const sent = await send(channel, customer, 'second@outside.example')
  await arrive(standard(sent, 'never@outside.example'))
  expect(await bouncesOf(sent)).toEqual([])
})

test('a bounce of a mail somebody sent to us is only told', async () => {
  const received = await arrive('Message-ID: <theirs@outside.example>\n\nHi')
  await arrive(standard({ ...(await send(channel, customer)), messageId: received.messageId }))
  expect(await bounced()).toEqual([])
})

test('the id we put into each mail leads to it where the provider changed its Message-ID', async () => {
  const sent = await send(channel, customer)
  const renamed = standard({ ...sent, messageId: '<AM0PR01@outlook.example>' })
  await arrive(renamed.replace('Subject: Order', `Subject: Order\nX-Postroom-Id: ${sent.id}`))
  expect(await bouncesOf(sent)).toHaveLength(1)
})
