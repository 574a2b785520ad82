/** Webhooks in the whole running system: what happens in a mailbox is posted to an app on this machine. */

import { Webhook as Verifier } from 'standardwebhooks'
import { expect, test } from 'vitest'
import { useRunningSystem } from '../support/running-system.ts'
import { useReceivers } from '../support/webhook-receiver.ts'

const running = useRunningSystem()
const receivers = useReceivers()

test('connecting and sending reach a webhook, signed with the secret that the API showed', async () => {
  const receiver = await receivers.open()
  const { body: webhook } = await running.app.call('POST', '/v1/webhooks', {
    accountId: 'acme',
    url: receiver.url,
  })
  const channel = await running.connect('ada')
  const letter = { to: [{ address: 'customer@outside.example' }], subject: 's', text: 't' }
  const sent = await running.app.send(channel.id, letter, 'k')
  expect(sent.status).toBe(202)
  await expect
    .poll(() => receiver.received.map(({ body }) => JSON.parse(body).type), { timeout: 20_000 })
    .toEqual(expect.arrayContaining(['channel.connected', 'message.sent']))
  for (const { headers, body } of receiver.received) {
    expect(new Verifier(webhook.secret).verify(body, headers as Record<string, string>)).toMatchObject({
      accountId: 'acme',
    })
  }
  const tried = await running.app.call('POST', `/v1/webhooks/${webhook.id}/test`)
  expect(tried).toMatchObject({ status: 200, body: { accepted: true } })
})
