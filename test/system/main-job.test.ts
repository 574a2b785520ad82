import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { expect, test, vi } from 'vitest'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()
const customer = { address: 'customer@outside.example', name: 'Casey' }

/** INTERNALDATE knows whole seconds only. */
async function nextSecond() {
  const second = Math.floor(Date.now() / 1000)
  await vi.waitUntil(() => Math.floor(Date.now() / 1000) > second, { timeout: 2_000, interval: 20 })
}

test('the founding persona connects with the UPN as login and the mailbox address as From', async () => {
  const channel = await running.connect('grace')
  expect(channel).toMatchObject({
    email: 'Grace.Hopper@tenant-b.example',
    login: { imap: 'grace@tenant-a.example', smtp: 'grace@tenant-a.example' },
    auth: { state: 'connected' },
  })
})

test('a mail that arrived between consent and the first poll is received, an older one is not', async () => {
  await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'before', text: 'old' })
  await nextSecond()
  const channel = await running.connect('ada')
  await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'after', text: 'new' })
  await running.app.call('POST', `/v1/channels/${channel.id}/poll`)
  await running.app.event('acme', event => event.data.message?.subject === 'after')
  const { body } = await running.app.call('GET', `/v1/channels/${channel.id}/messages?direction=inbound`)
  expect(body.messages.map((message: { subject: string }) => message.subject)).toEqual(['after'])
})

test('a reply reaches the customer with the question as parent, and the raw bytes can be read back', async () => {
  const { app } = running
  const channel = await running.connect('linus', { provider: 'google' })
  await running.sandbox('/personas/linus/deliver', { from: customer, subject: 'Question', text: 'Why?' })
  await app.call('POST', `/v1/channels/${channel.id}/poll`)
  const { data } = await app.event('acme', event => event.data.message?.subject === 'Question')
  const reply = await app.send(
    channel.id,
    { to: [customer], subject: 'Re: Question', text: 'Därum.', inReplyTo: data.message.id },
    'k1',
  )
  expect(reply.status).toBe(202)
  const sent = await app.event(
    'acme',
    event => event.type === 'message.sent' && event.data.message.id === reply.body.id,
  )
  expect(sent.data.message).toMatchObject({
    state: 'sent',
    inReplyTo: data.message.messageId,
    text: 'Därum.',
  })
  const raw = await app.call('GET', `/v1/messages/${reply.body.id}/raw`)
  expect(raw.body).toContain(`In-Reply-To: ${data.message.messageId}`)
  const { messages } = await running.sandbox('/outside')
  expect(messages.at(-1)).toMatchObject({
    inReplyTo: data.message.messageId,
    text: expect.stringContaining('Därum.'),
  })
})

test('the same Idempotency-Key with the same body is one message, with another body a conflict', async () => {
  const { app } = running
  const channel = await running.connect('margaret')
  const document = { to: [customer], subject: 'Once', text: 'only' }
  const first = await app.send(channel.id, document, 'same-key')
  const second = await app.send(channel.id, document, 'same-key')
  expect(second.body.id).toBe(first.body.id)
  expect(second.body.acceptedAt).toBe(first.body.acceptedAt)
  const third = await app.send(channel.id, { ...document, text: 'other' }, 'same-key')
  expect(third).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } })
  await app.event('acme', event => event.type === 'message.sent' && event.data.message.id === first.body.id)
  const { messages } = await running.sandbox('/outside')
  expect(messages.filter((mail: { subject: string }) => mail.subject === 'Once')).toHaveLength(1)
})

test('a queue message that can never be accepted is buried and told with the field', async () => {
  const { system, app } = running
  const { body } = await app.call('GET', '/v1/channels?accountId=acme')
  const sqs = new SQSClient({
    endpoint: system.cloud.endpoints.aws,
    region: 'us-east-1',
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
    useQueueUrlAsEndpoint: false,
  })
  const document = {
    channelId: body.channels[0].id,
    idempotencyKey: 'bad',
    to: [{ address: 'no address' }],
    text: 'x',
  }
  await sqs.send(
    new SendMessageCommand({
      QueueUrl: system.cloud.outputs.OutboundQueueUrl,
      MessageBody: JSON.stringify(document),
    }),
  )
  const event = await app.event('acme', e => e.type === 'message.rejected')
  expect(event.data.errors[0]).toMatchObject({ field: 'to.0.address', found: 'no address' })
})
