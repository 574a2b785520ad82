/** Where the steps of statement-steps.ts begin: an account of its own, and what most of them need there first. */

import type { App, Json } from '../../infra/local/as-app.ts'
import { changeItem, type Places } from '../support/behind-the-api.ts'
import type { RunningSystem } from '../support/running-system.ts'
import type { Receiver } from '../support/webhook-receiver.ts'

export interface Stage {
  running: RunningSystem
  app: App
  accountId: string
  places: Places
  /** Connects ada's mailbox, which nobody has used in this account. */
  mailbox(): Promise<Json>
  receiver(): Promise<Receiver>
  /** Until nothing is left to do for any function. */
  quiet(): Promise<void>
}

const customer = { address: 'customer@outside.example' }
export const mail = (more: object = {}) => ({ to: [customer], subject: 'A mail', text: 'x', ...more })

export async function newSession({ app, accountId }: Stage, more: object = {}): Promise<Json> {
  const asked = { accountId, provider: 'microsoft', ...more }
  return (await app.call('POST', '/v1/connect-sessions', asked)).body
}

/** Stored, and not sent before its hour has come. */
export async function mailForLater(stage: Stage): Promise<Json> {
  const channel = await stage.mailbox()
  const { body } = await stage.app.send(
    channel.id,
    mail({ sendAt: new Date(Date.now() + 3600_000).toISOString() }),
    'later',
  )
  // The doorbell rings all the same: whoever hears it must not find the mail due already.
  await stage.quiet()
  return { id: body.id, channelId: channel.id }
}

/** @returns it as an attachment */
export async function upload({ app }: Stage, channelId: string): Promise<object> {
  const file = Buffer.from('a file')
  const asked = { channelId, contentType: 'text/plain', size: file.length }
  const { body } = await app.call('POST', '/v1/uploads', asked)
  await fetch(body.url, { method: body.method, headers: body.headers, body: file })
  return { filename: 'a.txt', contentType: 'text/plain', uploadId: body.uploadId }
}

export function minute({ system }: RunningSystem): Promise<unknown> {
  return system.cloud.invoke('Schedule', {})
}

export function poll({ app }: Stage, channel: Json): Promise<unknown> {
  return app.call('POST', `/v1/channels/${channel.id}/poll`)
}

export function deliver({ running }: Stage): Promise<unknown> {
  return running.sandbox('/personas/ada/deliver', { from: customer, subject: 'Question', text: 'Why?' })
}

export async function mailboxWithMail(stage: Stage): Promise<Json> {
  const channel = await stage.mailbox()
  await deliver(stage)
  await poll(stage, channel)
  await stage.quiet()
  return channel
}

export async function receivedMail(stage: Stage): Promise<string> {
  const channel = await mailboxWithMail(stage)
  const { body } = await stage.app.call('GET', `/v1/channels/${channel.id}/messages?direction=inbound`)
  return body.messages[0].id
}

export async function webhookOf({ app, accountId, receiver }: Stage) {
  const receiving = await receiver()
  const { body: webhook } = await app.call('POST', '/v1/webhooks', { accountId, url: receiving.url })
  return { webhook, receiver: receiving }
}

export function changeWebhook(places: Places, id: string, values: Json): Promise<unknown> {
  return changeItem(places, places.mainTable, { pk: `WEBHOOK#${id}`, sk: 'WEBHOOK' }, values)
}
