import type { Page } from 'playwright-core'
import { Webhook as Signer } from 'standardwebhooks'
import { expect, test as plainTest } from 'vitest'
import { eventTypes } from '../../functions/channel/events.ts'
import { answers, useReceivers } from '../support/webhook-receiver.ts'
import { lookAt, picture } from './look.ts'
import { connect, hasBrowser, useRunningConsole } from './running-console.ts'

const test = plainTest.skipIf(!hasBrowser)
const running = useRunningConsole()
const receivers = useReceivers()

async function openWebhooks(accountId: string): Promise<Page> {
  const page = await running.open(accountId)
  await page.getByRole('link', { name: 'Webhooks', exact: true }).click()
  await page.getByText('None yet. Add one above').waitFor()
  return page
}

/** @returns the secret, as it is shown once */
async function add(page: Page, url: string): Promise<string> {
  await page.getByLabel('URL of your app').fill(url)
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  return keepSecret(page)
}

async function keepSecret(page: Page): Promise<string> {
  await page.getByRole('button', { name: 'I have kept it' }).waitFor()
  const secret = await page.getByLabel('Secret', { exact: true }).inputValue()
  await page.getByRole('button', { name: 'I have kept it' }).click()
  return secret
}

test('a person adds a webhook, keeps its secret, and what is posted is signed with it', async () => {
  const receiver = await receivers.open()
  const page = await openWebhooks('hooks')
  await lookAt(page, 'webhooks-none')
  const secret = await add(page, receiver.url)
  expect(secret).toMatch(/^whsec_/)
  expect(await page.locator('#secret-value').inputValue()).toBe('')

  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.locator('.outcome', { hasText: 'The test was accepted: HTTP 204' }).waitFor()
  const [posted] = receiver.received
  const headers = posted?.headers as Record<string, string>
  expect(new Signer(secret).verify(posted?.body ?? '', headers)).toMatchObject({ type: 'webhook.test' })
  await lookAt(page, 'webhooks')
  expect(running.complaints).toEqual([])
})

test('a receiver that fails shows what it said, rests, and works again once it answers', async () => {
  const receiver = await receivers.open()
  receiver.behave(answers.failing)
  const page = await openWebhooks('breaker')
  await add(page, receiver.url)
  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.locator('.outcome', { hasText: 'was not accepted: HTTP 500' }).waitFor()
  await page.getByRole('link', { name: 'Mail', exact: true }).click()
  // Three events at once, none of which is accepted, and the receiver is left alone.
  await connect(page, { person: 'Ada Lovelace' })
  const [, channelId = ''] = new URL(page.url()).hash.split('/')
  const to = [{ address: 'customer@outside.example' }]
  for (const key of ['one', 'two', 'three']) {
    await running.app().send(channelId, { to, subject: key, text: key }, key)
  }
  await page.getByRole('link', { name: 'Webhooks', exact: true }).click()
  await page.locator('.webhook', { hasText: 'It is left alone until' }).waitFor({ timeout: 60_000 })
  await page.locator('.webhook', { hasText: 'HTTP 500' }).waitFor()
  await lookAt(page, 'webhooks-resting')

  receiver.behave(answers.ok)
  await page.getByRole('button', { name: 'Send a test' }).click()
  await page.locator('.webhook .badge', { hasText: 'Works' }).waitFor()
  await expect
    .poll(() => receiver.received.filter(({ body }) => body.includes('message.sent')).length, {
      timeout: 30_000,
    })
    .toBeGreaterThanOrEqual(3)
})

test('one event, or the whole log, is delivered again', async () => {
  const receiver = await receivers.open()
  const page = await running.open('again')
  await connect(page, { person: 'Margaret Hamilton' })
  await page.locator('#events', { hasText: 'channel.connected' }).waitFor()
  await page.getByRole('link', { name: 'Webhooks', exact: true }).click()
  await add(page, receiver.url)

  await page.getByRole('button', { name: 'Deliver again …' }).click()
  await picture(page, 'webhooks-deliver-again')
  await page.getByRole('dialog').getByRole('button', { name: 'Deliver again' }).click()
  await page.locator('.outcome', { hasText: '1 event is delivered again.' }).waitFor()
  await expect.poll(() => receiver.ids().length).toBe(1)

  await page.getByRole('button', { name: 'Deliver again …' }).click()
  const choice = page.getByLabel('What', { exact: true })
  const event = choice.locator('option', { hasText: 'Mailbox connected' })
  await choice.selectOption((await event.getAttribute('value')) ?? '')
  await page.getByRole('dialog').getByRole('button', { name: 'Deliver again' }).click()
  await expect.poll(() => receiver.ids().length).toBe(2)
  expect(new Set(receiver.ids()).size).toBe(1)
})

test('a new secret is shown once, and the old one stays good for a day', async () => {
  const receiver = await receivers.open()
  const page = await openWebhooks('rotating')
  const before = await add(page, receiver.url)
  page.on('dialog', dialog => dialog.accept())
  await page.getByRole('button', { name: 'New secret' }).click()
  const after = await keepSecret(page)
  expect(after).not.toBe(before)
  await page.getByText('The secret before stays good until').waitFor()
  await page.getByRole('button', { name: 'Send a test' }).click()
  await expect.poll(() => receiver.received.length).toBe(1)
  const [posted] = receiver.received
  for (const secret of [before, after]) {
    const headers = posted?.headers as Record<string, string>
    expect(() => new Signer(secret).verify(posted?.body ?? '', headers)).not.toThrow()
  }
})

test('a webhook is paused, resumed and removed', async () => {
  const receiver = await receivers.open()
  const page = await openWebhooks('leaving')
  page.on('dialog', dialog => dialog.accept())
  await add(page, receiver.url)
  await page.getByRole('button', { name: 'Pause' }).click()
  await page.locator('.webhook .badge', { hasText: 'Paused' }).waitFor()
  await page.getByRole('button', { name: 'Resume' }).click()
  await page.locator('.webhook .badge', { hasText: 'Works' }).waitFor()
  await page.getByRole('button', { name: 'Remove' }).click()
  await page.getByText('None yet. Add one above').waitFor()
})

test('a URL that breaks the rules is refused at its field, and nothing typed is lost', async () => {
  const page = await openWebhooks('refused')
  await page.getByLabel('URL of your app').fill('ftp://example.org')
  await page.keyboard.press('Enter')
  await page.locator('#webhook-error', { hasText: 'must be an https URL' }).waitFor()
  expect(await page.getByLabel('URL of your app').inputValue()).toBe('ftp://example.org')
  expect(await page.getByLabel('URL of your app').getAttribute('aria-invalid')).toBe('true')
})

test('an account’s webhooks are not shown under another, and what the API refuses is said', async () => {
  const receiver = await receivers.open()
  const page = await openWebhooks('mine')
  await add(page, receiver.url)
  await page.locator('.webhook').waitFor()
  await page.getByLabel('Account id').fill('theirs')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await page.getByText('None yet. Add one above').waitFor()
  expect(await page.locator('.webhook').count()).toBe(0)
  await page.route('**/v1/webhooks?*', route =>
    route.fulfill({ status: 503, json: { title: 'Out of order.' } }),
  )
  await page.reload()
  await page.locator('#webhooks-status', { hasText: 'Out of order.' }).waitFor()
})

test('every type of event can be chosen, by name', async () => {
  const page = await openWebhooks('types')
  const boxes = page.locator('#webhook-types input')
  const offered = await boxes.evaluateAll(all => all.map(box => box.getAttribute('value') ?? ''))
  expect(offered.toSorted()).toEqual([...eventTypes].toSorted())
  await page.getByText('Only some events').click()
  for (const type of eventTypes) await page.locator(`#webhook-types [value="${type}"]`).uncheck()
  await page.getByLabel('Mail received message.received').check()
  const receiver = await receivers.open()
  await add(page, receiver.url)
  await page.locator('.webhook p', { hasText: /^Mail received$/ }).waitFor()
})
