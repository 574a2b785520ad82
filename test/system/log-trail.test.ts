/** What the log tells of one thing, by its id alone: each step one line, over all functions, and nothing of what it says. */

import { expect, test } from 'vitest'
import { newPerson } from '../../infra/local/as-person.ts'
import { patience, quiet } from '../support/quiet.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { useReceivers } from '../support/webhook-receiver.ts'

const running = useRunningSystem()
const receivers = useReceivers()
const accountId = 'acme'

/** The steps, with the function that took each, in order. */
function trail(id: string): string[] {
  return running.log
    .map(line => line as { function?: string; record?: Record<string, unknown> })
    .filter(({ record }) => record && Object.values(record).includes(id))
    .map(({ function: name, record }) => [name, record?.event, record?.type].filter(Boolean).join(' '))
}

test('a message, from the API over the queue and the server to the webhook', async () => {
  const receiver = await receivers.open()
  const webhook = await running.app.call('POST', '/v1/webhooks', { accountId, url: receiver.url })
  const channel = await running.connect('ada')
  const letter = {
    to: [{ address: 'customer@outside.example' }],
    subject: 'Unspoken subject',
    text: 'Unspoken text',
  }
  const { body: message } = await running.app.send(channel.id, letter, 'key')
  const event = await running.app.event(
    accountId,
    ({ type, data }) => type === 'message.sent' && data.message.id === message.id,
  )
  await expect.poll(() => receiver.received.length, patience).toBeGreaterThan(1)
  await quiet(running.system)

  expect(trail(message.id)).toEqual(['Api message_accepted', 'Send told message.sent'])
  expect(trail(event.id)).toEqual(['Send told message.sent', 'NotifyWebhooks posted'])
  expect(trail(webhook.body.id)).toEqual(['NotifyWebhooks posted', 'NotifyWebhooks posted'])
  expect(JSON.stringify(running.log)).not.toContain('Unspoken')
})

test('a message that waited for an administrator', async () => {
  const channel = await running.connect('grace')
  await running.sandbox('/personas/grace/script', { script: 'smtp_disabled_mailbox' })
  const letter = { to: [{ address: 'a@outside.example' }], text: 'x' }
  const { body: message } = await running.app.send(channel.id, letter, 'key')
  const told = (type: string) =>
    running.app.event(accountId, event => event.type === type && event.data.message.id === message.id)
  await told('message.parked')
  await running.sandbox('/personas/grace/script', { script: '' })
  await running.app.call('POST', `/v1/channels/${channel.id}/probe`)
  await told('message.sent')
  await quiet(running.system)
  expect(trail(message.id)).toEqual([
    'Api message_accepted',
    'Send told message.parked',
    'Send told message.sent',
  ])
})

test('a mail that came in, to its event', async () => {
  const channel = await running.connect('ada', { accountId: 'second' })
  await running.sandbox('/personas/ada/deliver', {
    from: { address: 'a@outside.example' },
    subject: 'in',
    text: 'x',
  })
  await running.app.call('POST', `/v1/channels/${channel.id}/poll`)
  const event = await running.app.event('second', ({ type }) => type === 'message.received')
  await quiet(running.system)
  expect(trail(event.data.message.id)).toEqual(['Fetch told message.received'])
})

test('a connect session, from the link to the channel', async () => {
  const { body: session } = await running.app.call('POST', '/v1/connect-sessions', {
    accountId,
    provider: 'google',
  })
  await newPerson().connect(session.connectUrl, 'linus')
  const confirmed = await running.app.call('POST', `/v1/connect-sessions/${session.id}/confirm`)
  await quiet(running.system)
  expect(trail(session.id)).toEqual([
    'Api connect_session_created',
    'Connect connect_checked',
    'Api connect_confirmed',
  ])
  expect(trail(confirmed.body.channel.id)).toEqual([
    'Connect connect_checked',
    'Api connect_confirmed',
    'Api told channel.connected',
  ])
})
