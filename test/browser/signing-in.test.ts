import type { Page } from 'playwright-core'
import { expect, test as plainTest } from 'vitest'
import { operator, useIssuer } from './issuer.ts'
import { lookAt, picture } from './look.ts'
import { connect, hasBrowser, useRunningConsole } from './running-console.ts'

const test = plainTest.skipIf(!hasBrowser)
const issuer = useIssuer()
const running = useRunningConsole(issuer.startFor)
const signInButton = (page: Page) => page.getByRole('button', { name: 'Sign in', exact: true })

/** From the console's button through the issuer's two pages and back. */
async function signIn(page: Page, name: string): Promise<void> {
  await signInButton(page).click()
  await page.getByPlaceholder('Enter any login').fill(name)
  await page.getByPlaceholder('and password').fill('any')
  await page.getByRole('button', { name: 'Sign-in' }).click()
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
}

/** What the API answers to a request of the page's own, with its token. */
function statusOf(page: Page, path: string): Promise<number> {
  return page.evaluate(
    `fetch(${JSON.stringify(path)}, { headers: { authorization: 'Bearer ' + sessionStorage.getItem('postroom.token') } }).then(answer => answer.status)`,
  )
}

test('an operator signs in at the issuer, connects a mailbox of any account, and sees it', async () => {
  const page = await running.visit()
  await signInButton(page).waitFor()
  await lookAt(page, 'sign-in')
  await signIn(page, operator)
  expect(page.url(), 'a code does not stay in the address').toBe(`${running.url}/`)
  // The issuer's own pages ask for fonts that are not on this machine.
  running.complaints.length = 0
  await page.getByLabel('Account id').fill('acme')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await connect(page, { person: 'Grace Hopper' })
  await page.locator('#channels a', { hasText: 'Grace Hopper' }).waitFor()
  await page.locator('#channel-badges').getByText('Connection works').waitFor()
  await page.reload()
  await page.locator('#channels a', { hasText: 'Grace Hopper' }).waitFor()
  await picture(page, 'signed-in')
  expect(running.complaints).toEqual([])
})

test('whoever is no operator sees the account of the token, and no other', async () => {
  const page = await running.visit()
  await signIn(page, 'globex')
  expect(await page.getByLabel('Account id').inputValue()).toBe('globex')
  expect(await page.getByLabel('Account id').isEditable()).toBe(false)
  expect(await statusOf(page, '/v1/channels?accountId=globex')).toBe(200)
  expect(await statusOf(page, '/v1/channels?accountId=acme')).toBe(403)
})

test('without a token the page is there and no mail is, and the local key opens nothing', async () => {
  const page = await running.visit()
  await signInButton(page).waitFor()
  expect(await page.locator('#layout').isVisible()).toBe(false)
  expect(await statusOf(page, '/v1/channels?accountId=acme')).toBe(401)
  expect((await running.app().call('GET', '/v1/channels?accountId=acme')).status).toBe(401)
  expect(await page.content()).not.toContain('key-of-this-test-only')
})

test('a sign-in that is called off says so, and can be begun again', async () => {
  const page = await running.visit()
  await signInButton(page).click()
  await page.getByRole('link', { name: 'Cancel' }).click()
  await page.locator('#sign-in-error', { hasText: 'access_denied' }).waitFor()
  expect(page.url()).toBe(`${running.url}/`)
  await signIn(page, operator)
})

test('signing out forgets the token and what was written', async () => {
  const page = await running.visit()
  await signIn(page, operator)
  await page.evaluate("sessionStorage.setItem('postroom.drafts', '{}')")
  await page.getByRole('button', { name: 'Sign out' }).click()
  await signInButton(page).waitFor()
  expect(await page.evaluate('sessionStorage.length')).toBe(0)
})

test('a sign-in that ends takes nothing away that was written, and leads back to the same page', async () => {
  const page = await running.visit()
  await signIn(page, operator)
  await page.getByLabel('Account id').fill('drafting')
  await page.getByRole('button', { name: 'Show', exact: true }).click()
  await connect(page, { person: 'Ada Lovelace' })
  const before = page.url()
  await page.getByRole('button', { name: 'Write' }).click()
  await lookAt(page, 'compose')
  await page.getByLabel('Subject').fill('Half an offer')
  await page.getByLabel('Text').fill('Ten crates, and')
  const document = {
    status: 401,
    contentType: 'application/problem+json',
    body: '{"title":"The token ended."}',
  }
  await page.route('**/v1/**', route => route.fulfill(document))
  await page.getByRole('button', { name: 'Send', exact: true }).click()
  await page.getByText('Your sign-in has ended.').waitFor()
  await page.getByRole('button', { name: 'Close' }).click()
  await picture(page, 'sign-in-again')
  await page.unroute('**/v1/**')
  await page.getByRole('button', { name: 'Sign in again' }).click()
  await page.getByRole('button', { name: 'Sign out' }).waitFor()
  await expect.poll(() => page.url()).toBe(before)
  await page.getByRole('button', { name: 'Write' }).click()
  expect(await page.getByLabel('Subject').inputValue()).toBe('Half an offer')
  expect(await page.getByLabel('Text').inputValue()).toBe('Ten crates, and')
})

test('the page’s policy names what it may call: its own origin, the token endpoint and where large files lie', async () => {
  const response = await fetch(running.url)
  const policy = response.headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(
    /default-src 'none'; script-src 'self';.* connect-src 'self' https:\/\/localhost:\d+ http:\/\/127\.0\.0\.1:\d+;/,
  )
  expect(response.headers.get('content-encoding')).toBe('gzip')
})
