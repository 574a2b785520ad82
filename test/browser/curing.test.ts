import type { Page } from 'playwright-core'
import { expect, test as plainTest } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { lookAt, picture } from './look.ts'
import { connect, hasBrowser, useRunningConsole } from './running-console.ts'

const test = plainTest.skipIf(!hasBrowser)
const running = useRunningConsole()
const customer = { address: 'customer@outside.example', name: 'Casey Customer' }

const row = (page: Page, subject: string) => page.locator('#messages a', { hasText: subject })
const message = (page: Page, text: string) => page.locator('#conversation article', { hasText: text })
const troubles = (page: Page) => page.locator('#channel-faults')
const badges = (page: Page) => page.locator('#channel-badges')

async function arrives(page: Page, persona: string, mail: { subject: string; text: string }): Promise<void> {
  await running.sandbox(`/personas/${persona}/deliver`, { from: customer, ...mail })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, mail.subject).click()
}

async function reply(page: Page, question: string, text: string): Promise<void> {
  await message(page, question).getByRole('button', { name: 'Reply' }).click()
  await page.getByLabel('Text').fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}

async function atCustomer(subject: string): Promise<Json[]> {
  const { messages } = await running.sandbox('/outside')
  return messages.filter((mail: Json) => mail.subject === subject)
}

test('reconnect after a broken grant: the reply waits, the owner signs in again, and it leaves by itself', async () => {
  const page = await running.open('revoked')
  await connect(page, { person: 'Grace Hopper' })
  await arrives(page, 'grace', { subject: 'Is it in stock?', text: 'The blue one.' })
  const channelId = new URL(page.url()).hash.split('/')[1]
  await running.sandbox('/personas/grace/script', { script: 'grant_revoked' })
  await reply(page, 'The blue one.', 'It is.')
  await message(page, 'It is.').getByText('Parked', { exact: true }).waitFor()
  await badges(page).getByText('Reconnect required').waitFor()
  await troubles(page).getByText('The owner of the mailbox has to act.').waitFor()
  await lookAt(page, 'curing-1-broken-grant')
  expect(await atCustomer('Re: Is it in stock?')).toEqual([])

  await page.getByRole('button', { name: 'Reconnect' }).click()
  await page.getByRole('heading', { name: 'Reconnect your mailbox' }).waitFor()
  await picture(page, 'curing-2-reconnect')
  await page.getByRole('button', { name: 'Continue to Microsoft 365' }).click()
  await page.getByRole('radio', { name: 'Grace Hopper' }).check()
  await page.getByRole('button', { name: 'Accept' }).click()
  await page.getByText('is connected to the account').waitFor()
  expect(new URL(page.url()).hash.split('/')[1], 'it is the same mailbox').toBe(channelId)
  await badges(page).getByText('Sign-in works').waitFor()
  await page.getByRole('link', { name: 'Sent', exact: true }).click()
  await row(page, 'Re: Is it in stock?').getByText('Sent', { exact: true }).waitFor()
  await picture(page, 'curing-3-reconnected')
  expect(await atCustomer('Re: Is it in stock?')).toHaveLength(1)
})

test('retry of a failed reply: what the server said is shown, and “Send again” sends it, once', async () => {
  const page = await running.open('failed')
  await connect(page, { person: 'Margaret Hamilton' })
  await arrives(page, 'margaret', { subject: 'Where is my refund?', text: 'Since Monday.' })
  await running.sandbox('/personas/margaret/script', { script: 'mail_refused' })
  await reply(page, 'Since Monday.', 'It left today.')
  const answer = message(page, 'It left today.')
  await answer.getByText('Failed', { exact: true }).waitFor()
  await answer.getByText('550 5.7.0').waitFor()
  await lookAt(page, 'curing-4-failed-reply')
  expect(await atCustomer('Re: Where is my refund?')).toEqual([])

  await running.sandbox('/personas/margaret/script', { script: null })
  await answer.getByRole('button', { name: 'Send again' }).click()
  await answer.getByText('Sent', { exact: true }).waitFor()
  await picture(page, 'curing-5-sent-again')
  expect(await atCustomer('Re: Where is my refund?')).toHaveLength(1)
})

test('a reply that is parked can be cancelled, and never leaves', async () => {
  const page = await running.open('cancelled')
  await connect(page, { person: 'Ada Lovelace' })
  await arrives(page, 'ada', { subject: 'A quote, please', text: 'For ten.' })
  await running.sandbox('/personas/ada/script', { script: 'smtp_disabled_mailbox' })
  await reply(page, 'For ten.', 'Ninety.')
  const answer = message(page, 'Ninety.')
  await answer.getByText('Parked', { exact: true }).waitFor()
  await answer.getByRole('button', { name: 'Try now' }).click()
  await page.getByText('The channel has no working sign-in to do this with.').waitFor()
  await answer.getByRole('button', { name: 'Cancel' }).click()
  await answer.getByText('Cancelled', { exact: true }).waitFor()
  await running.sandbox('/personas/ada/script', { script: null })
  await page.getByRole('button', { name: 'Check sign-in' }).click()
  await badges(page).getByText('Sign-in works').waitFor()
  await lookAt(page, 'curing-6-cancelled')
  expect(await atCustomer('Re: A quote, please')).toEqual([])
})

test('a scheduled message says when it leaves, and “Send now” sends it at once', async () => {
  const page = await running.open('scheduled')
  await connect(page, { provider: 'Google', person: 'Linus Lindqvist' })
  const [, channelId = ''] = new URL(page.url()).hash.split('/')
  const sendAt = new Date(Date.now() + 3_600_000).toISOString()
  const document = { to: [customer], subject: 'Good morning', text: 'Tomorrow it rains.', sendAt }
  expect((await running.app().send(channelId, document, 'scheduled-1')).status).toBe(202)
  await page.getByRole('link', { name: 'Sent', exact: true }).click()
  await row(page, 'Good morning').getByText('Scheduled', { exact: true }).waitFor()
  await row(page, 'Good morning').click()
  const scheduled = message(page, 'Tomorrow it rains.')
  await scheduled.getByText(/^Leaves at /).waitFor()
  await lookAt(page, 'curing-8-scheduled')
  expect(await atCustomer('Good morning')).toEqual([])
  await scheduled.getByRole('button', { name: 'Send now' }).click()
  await scheduled.getByText('Sent', { exact: true }).waitFor()
  expect(await scheduled.getByText(/^Leaves at /).count()).toBe(0)
  expect(await atCustomer('Good morning')).toHaveLength(1)
})

test('a mailbox is disconnected after a question, and can be connected again from where it stood', async () => {
  const page = await running.open('disconnected')
  await connect(page, { person: 'Ada Lovelace' })
  page.once('dialog', dialog => dialog.dismiss())
  await page.getByRole('button', { name: 'Disconnect' }).click()
  expect(await troubles(page).textContent()).toBe('')
  page.once('dialog', dialog => dialog.accept())
  await page.getByRole('button', { name: 'Disconnect' }).click()
  await troubles(page).getByText('The mailbox was disconnected').waitFor()
  await lookAt(page, 'curing-7-disconnected')
  expect(await page.getByRole('button', { name: 'Disconnect' }).isDisabled()).toBe(true)
  expect(await page.getByRole('button', { name: 'Reconnect' }).isVisible()).toBe(true)
})
