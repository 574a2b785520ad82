/** Where webhooks may be posted: into the public, never into our own network, whatever a name resolves to. */

import { expect, test } from 'vitest'
import type { PostroomEvent } from '../../functions/channel/events.ts'
import { check } from '../../functions/channel/schema-check.ts'
import { postEvent } from '../../functions/channel/webhook-request.ts'
import { type Egress, newWebhookSchema, type Webhook } from '../../functions/channel/webhooks.ts'
import { useReceivers } from '../support/webhook-receiver.ts'

const receivers = useReceivers()
const event: PostroomEvent = {
  id: 'ev_1',
  type: 'message.received',
  accountId: 'acme',
  channelId: null,
  occurredAt: '2026-11-24T10:00:00.000Z',
  data: {},
}

function post(url: string, egress: Egress) {
  const webhook: Webhook = {
    id: 'wh_1',
    accountId: 'acme',
    url,
    types: null,
    state: 'active',
    secrets: [{ version: 1, expiresAt: null }],
    createdAt: '2026-11-24T10:00:00.000Z',
    failures: 0,
    failingSince: null,
    lastFailure: null,
    restsUntil: null,
    recoveredAt: null,
    wakeAt: null,
  }
  const webhookSecrets = { secretOf: async () => `whsec_${Buffer.alloc(32, 1).toString('base64')}` }
  return postEvent(webhook, event, { webhookSecrets, egress, webhookTimeoutMs: 2_000, now: Date.now })
}

test('on this machine a local receiver is reached where it is configured so, and only there', async () => {
  const receiver = await receivers.open()
  expect(await post(receiver.url, 'loopback')).toEqual({ accepted: true, status: 204 })
  expect(await post(receiver.url, 'public')).toMatchObject({
    accepted: false,
    evidence: 'address not allowed',
  })
  expect(receiver.received).toHaveLength(1)
})

test('a name that resolves to this machine is refused when it connects', async () => {
  const receiver = await receivers.open()
  const named = receiver.url.replace('127.0.0.1', 'localhost')
  expect(await post(named, 'public')).toMatchObject({ accepted: false, evidence: 'address not allowed' })
  expect(receiver.received).toEqual([])
})

test.each([
  'http://169.254.169.254/latest/meta-data/',
  'https://169.254.170.2/',
  'https://[fd00:ec2::254]/',
  'https://100.100.100.200/',
  'https://10.0.0.1/',
  'https://172.16.3.4/',
  'https://192.168.1.1/',
  'https://0.0.0.0/',
  'https://[::]/',
  'https://[::1]/',
  'https://[::ffff:127.0.0.1]/',
  'https://[::ffff:a9fe:a9fe]/',
  'https://[64:ff9b::7f00:1]/',
  'https://[fe80::1]/',
  'https://2130706433/',
  'https://0x7f.1/',
  'https://017700000001/',
])('%s is refused, and the receiver’s address told to nobody', async url => {
  for (const egress of ['public', 'loopback'] as const) {
    if (egress === 'loopback' && /127|::1\]|7f|2130706433|0177/.test(url)) continue
    const receipt = await post(url, egress)
    expect(receipt).toMatchObject({ accepted: false, evidence: 'address not allowed' })
  }
})

test.each([
  'ftp://app.example/',
  'http://app.example/',
  'http://127.0.0.1.app.example/',
  'https://user:password@app.example/',
  'javascript:alert(1)',
  'app.example',
  '//app.example',
  '',
  `https://app.example/${'x'.repeat(2_000)}`,
])('%j is no URL for a webhook', url => {
  expect(check(newWebhookSchema, { url }).success).toBe(false)
})
