/**
 * The restore drill: the tables go back to an earlier time while mailboxes, stored mail and queues went on. Nothing is
 * sent twice, nothing that came in is lost, and what was told before is told under the same id.
 */

import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { type RunningSystem, useRunningSystem } from '../support/running-system.ts'

const customer = { address: 'customer@outside.example', name: 'Casey' }
const accountId = 'acme'

/** Both tables, as a point-in-time restore gives them back; the rest of the folder is left as it is. */
const tablesOf = (folder: string) => join(folder, 'cloud', 'dynamodb')
const keptTables = (folder: string) => join(folder, 'kept-tables')

async function keepTables(folder: string): Promise<void> {
  await cp(tablesOf(folder), keptTables(folder), { recursive: true })
}
async function putTablesBack(folder: string): Promise<void> {
  await rm(tablesOf(folder), { recursive: true })
  await cp(keptTables(folder), tablesOf(folder), { recursive: true })
}

async function parked(running: RunningSystem, channel: Json, subject: string): Promise<Json> {
  const key = subject.replaceAll(' ', '-')
  const { status, body } = await running.app.send(channel.id, { to: [customer], subject, text: 'x' }, key)
  expect(status).toBe(202)
  await running.app.event(
    accountId,
    event => event.type === 'message.parked' && event.data.message.id === body.id,
  )
  return body
}

/** Its administrator has switched sending on again: a probe that succeeds lets what is parked leave. */
async function cure(running: RunningSystem, channel: Json, persona: string): Promise<void> {
  await running.sandbox(`/personas/${persona}/script`, { script: '' })
  const { status } = await running.app.call('POST', `/v1/channels/${channel.id}/probe`)
  expect(status).toBe(200)
}

async function isSent(running: RunningSystem, { id }: Json): Promise<void> {
  await running.app.event(accountId, event => event.type === 'message.sent' && event.data.message.id === id)
}

/** The event that tells of this mail, once it was fetched. */
async function received(running: RunningSystem, channel: Json, subject: string): Promise<Json> {
  await running.app.call('POST', `/v1/channels/${channel.id}/poll`)
  return running.app.event(
    accountId,
    event => event.type === 'message.received' && event.data.message.subject === subject,
  )
}

async function timesLeft(running: RunningSystem, subject: string): Promise<number> {
  const { messages } = await running.sandbox('/outside')
  return messages.filter((mail: Json) => mail.subject === subject).length
}

/** Two channels with a parked message each; then, after the tables were kept, one of them goes on. */
async function untilTheLoss(running: RunningSystem) {
  const [ada, grace] = [await running.connect('ada'), await running.connect('grace')]
  for (const persona of ['ada', 'grace'])
    await running.sandbox(`/personas/${persona}/script`, { script: 'smtp_disabled_mailbox' })
  const left = await parked(running, ada, 'left before the loss')
  const stayed = await parked(running, grace, 'never left')
  await running.restart({ whileDown: keepTables })

  await cure(running, ada, 'ada')
  await isSent(running, left)
  const again = await running.app.send(ada.id, { to: [customer], subject: 'later', text: 'x' }, 'later')
  await isSent(running, again.body)
  await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'told before', text: 'x' })
  const toldBefore = await received(running, ada, 'told before')
  return { ada, grace, left, stayed, again: again.body, toldBefore }
}

describe.each([
  ['resume', 'sent', 1],
  ['resync', 'uncertain', 0],
] as const)('%s', (mode, state, times) => {
  const running = useRunningSystem()

  test(`what had left is not sent again, what had not is ${state}, and no mail is lost or told as new`, {
    timeout: 180_000,
  }, async () => {
    const { ada, grace, left, stayed, again, toldBefore } = await untilTheLoss(running)
    await running.restart({ whileDown: putTablesBack, restored: { at: new Date().toISOString(), mode } })

    // The tables know nothing of what came since.
    const before = await running.app.call('GET', `/v1/messages/${left.id}`)
    expect(before.body.state).toBe('parked')
    expect((await running.app.call('GET', `/v1/messages/${again.id}`)).status).toBe(404)

    await cure(running, ada, 'ada')
    await isSent(running, left)
    await cure(running, grace, 'grace')
    await running.app.event(
      accountId,
      event => event.type === `message.${state}` && event.data.message.id === stayed.id,
    )
    // The app asks once more for what the tables have forgotten.
    const repeated = await running.app.send(ada.id, { to: [customer], subject: 'later', text: 'x' }, 'later')
    expect(repeated.body.id).toBe(again.id)
    await isSent(running, again)
    const fresh = await running.app.send(ada.id, { to: [customer], subject: 'new', text: 'x' }, 'new')
    await isSent(running, fresh.body)
    expect(
      await Promise.all(
        ['left before the loss', 'later', 'never left', 'new'].map(subject => timesLeft(running, subject)),
      ),
    ).toEqual([1, 1, times, 1])

    await running.sandbox('/personas/ada/deliver', { from: customer, subject: 'after', text: 'x' })
    await received(running, ada, 'after')
    const toldAgain = await received(running, ada, 'told before')
    expect(toldAgain.id).toBe(toldBefore.id)
    expect(toldAgain.data.message.id).toBe(toldBefore.data.message.id)
    const { body } = await running.app.call('GET', `/v1/channels/${ada.id}/messages?direction=inbound`)
    expect(body.messages.map((message: Json) => message.subject).sort()).toEqual(['after', 'told before'])
  })
})
