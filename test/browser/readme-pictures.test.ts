/**
 * Takes the pictures that the README shows: `npm run screenshots` makes them anew and puts them beside the console. As a
 * part of the browser's tests they are taken each time, so that the way to them cannot break unseen.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { expect, test as plainTest } from 'vitest'
import { picture } from './look.ts'
import { connect, hasBrowser, useRunningConsole } from './running-console.ts'

const test = plainTest.skipIf(!hasBrowser)
const running = useRunningConsole()
const folder = new URL('../../artefacts/readme/', import.meta.url)
const account = 'help-desk'
const limitBytes = 150_000
const desk = { width: 1360, height: 960, scale: 1.5 }
const phone = { width: 390, height: 780, scale: 2 }
const casey = { address: 'casey@customer.example', name: 'Casey Moreno' }
const sam = { address: 'sam@customer.example', name: 'Sam Okafor' }

const row = (page: Page, subject: string) => page.locator('#messages a', { hasText: subject })
const message = (page: Page, text: string) => page.locator('#conversation article', { hasText: text })
const mailbox = (page: Page, name: string) => page.locator('#channels a', { hasText: name })

/** WebP, which is a third of a PNG; and a PNG beside the other artefacts, for those who look with other eyes. */
async function keep(page: Page, name: string): Promise<void> {
  await page.mouse.move(0, 0)
  await page.locator('main:visible').evaluate(main => main.scrollTo(0, 0))
  await picture(page, `readme-${name}`)
  const session = await page.context().newCDPSession(page)
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: 85 })
  const bytes = Buffer.from(data, 'base64')
  expect(bytes.length, name).toBeLessThan(limitBytes)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${name}.webp`, folder), bytes)
}

async function deliver(
  page: Page,
  persona: string,
  mail: { from: object; subject: string; text: string; html?: string },
) {
  await running.sandbox(`/personas/${persona}/deliver`, mail)
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, mail.subject).waitFor()
}

async function reply(page: Page, question: string, text: string): Promise<void> {
  await message(page, question).getByRole('button', { name: 'Reply' }).first().click()
  await page.getByLabel('Text').fill(text)
  await page.getByRole('button', { name: 'Send', exact: true }).click()
}

const orderHtml = `<h2>Order 4711 is late</h2><p>Hello Grace,</p><p>I ordered on <b>Monday</b>, and nothing came.</p>
<table border="1" cellpadding="6"><tr><th>Item</th><th>Pieces</th><th>Price</th></tr><tr><td>Blue lamp</td><td>2</td>
<td>48.00 €</td></tr><tr><td>Bulb, warm</td><td>4</td><td>12.00 €</td></tr></table><p>When will it be here?</p><p>Casey</p>`

test('the pictures of the README are taken', async () => {
  const page = await running.open(account, desk)
  await connect(page, { person: 'Ada Lovelace' })
  await connect(page, { provider: 'Google', person: 'Linus Lindqvist' })
  await connect(page, { person: 'Margaret Hamilton' })
  await deliver(page, 'margaret', {
    from: sam,
    subject: 'A lamp for the hall',
    text: 'Do you have it in green?',
  })
  await row(page, 'A lamp for the hall').click()
  await running.sandbox('/personas/margaret/script', { script: 'grant_revoked' })
  await reply(page, 'Do you have it in green?', 'We do, from Friday on.')
  await message(page, 'We do').getByText('Parked', { exact: true }).waitFor()
  await mailbox(page, 'Ada').click()
  await running.sandbox('/personas/ada/script', { script: 'smtp_disabled_mailbox' })
  await page.getByRole('button', { name: 'Check sign-in' }).click()
  await mailbox(page, 'Ada').getByText('Blocked by an administrator').waitFor()

  await connect(page, { person: 'Grace Hopper' })
  await deliver(page, 'grace', { from: sam, subject: 'Opening hours', text: 'Are you open on Sunday?' })
  await deliver(page, 'grace', {
    from: casey,
    subject: 'Order 4711 is late',
    text: 'I ordered on Monday, and nothing came.',
    html: orderHtml,
  })
  await row(page, 'Order 4711').click()
  await reply(page, 'nothing came', 'It left today, and is with you tomorrow.')
  await message(page, 'It left today').getByText('Sent', { exact: true }).waitFor()
  const { messages } = await running.sandbox('/outside')
  const answer = messages.find(({ subject }: { subject: string }) => subject === 'Re: Order 4711 is late')
  await running.sandbox(`/outside/${answer.id}/reply`, { text: 'Wonderful, thank you!' })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await message(page, 'Wonderful, thank you!').waitFor()
  await message(page, 'nothing came').getByRole('button', { name: 'Show formatted' }).click()
  await page.frameLocator('iframe.formatted').getByRole('heading').waitFor()
  await page.locator('#toast').filter({ hasText: /^$/ }).waitFor({ state: 'attached' })
  await keep(page, 'conversation')

  await mailbox(page, 'Margaret').click()
  await page.locator('#channel-faults').getByRole('button', { name: 'Reconnect' }).waitFor()
  await page.getByText('Timeline').click()
  await page.getByRole('link', { name: 'Sent', exact: true }).click()
  await row(page, 'Re: A lamp').click()
  await keep(page, 'broken-mailbox')

  const small = await running.open(account, phone)
  await small.emulateMedia({ colorScheme: 'dark' })
  await mailbox(small, 'Grace').waitFor()
  await keep(small, 'phone-dark-mailboxes')
  await mailbox(small, 'Grace').click()
  await row(small, 'Order 4711').first().click()
  await message(small, 'nothing came').waitFor()
  await keep(small, 'phone-dark-conversation')
})
