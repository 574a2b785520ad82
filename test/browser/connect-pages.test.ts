import type { Page } from 'playwright-core'
import { test } from 'vitest'
import { lookAt } from './look.ts'
import { hasBrowser, useRunningConsole } from './running-console.ts'

const running = useRunningConsole()
const look = (page: Page, name: string) => lookAt(page, `connect-${name}`)

async function openLink(session: object = {}): Promise<Page> {
  const page = await running.open('pages')
  const { body } = await running.app().call('POST', '/v1/connect-sessions', {
    accountId: 'pages',
    provider: 'microsoft',
    ...session,
  })
  await page.goto(body.connectUrl)
  return page
}

/** Continues with the keyboard alone, then consents as the persona whom the script concerns. */
async function consent(page: Page, { person, script }: { person: string; script: string }): Promise<void> {
  await page.getByRole('button', { name: /^Continue to/ }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('radio', { name: person }).check()
  const scripts = page.getByRole('combobox')
  // Open already where the persona follows a script from before.
  if (!(await scripts.isVisible())) await page.locator('details > summary').first().click()
  await scripts.selectOption(script)
  await page.getByRole('button', { name: 'Accept' }).click()
}

test.skipIf(!hasBrowser)('the connect page is accessible and names what will happen', async () => {
  const page = await openLink()
  await page.getByRole('heading', { name: 'Connect your mailbox' }).waitFor()
  await look(page, 'start')
})

test.skipIf(!hasBrowser)('a link that is not known says so', async () => {
  const page = await openLink()
  await page.goto(`${running.url}/connect/cs_nothing.x`)
  await page.getByText('ticket_invalid').waitFor()
  await look(page, 'unknown-link')
})

test.skipIf(!hasBrowser)(
  'while the mail servers are tried, a page shows that they are, and needs no script to go on',
  async () => {
    const page = await openLink()
    // "No content" keeps the browser on the page, which otherwise lasts only as long as the check.
    await page.route('**/*.check', route => route.fulfill({ status: 204 }))
    await consent(page, { person: 'Ada', script: '' })
    await page.getByRole('heading', { name: 'Checking your mailbox' }).waitFor()
    await look(page, 'checking')
    await page.unroute('**/*.check')
    await page.getByRole('link', { name: 'go on' }).click()
    await page.getByRole('heading', { name: 'Almost done' }).waitFor()
  },
)

test.skipIf(!hasBrowser)('a sign-in that works ends on a page that says what comes next', async () => {
  const page = await openLink({ autoConfirm: true })
  await consent(page, { person: 'Ada', script: '' })
  await page.getByRole('heading', { name: 'Mailbox connected' }).waitFor()
  await look(page, 'connected')
})

test.skipIf(!hasBrowser).each([
  ['smtp_disabled_mailbox', 'Almost done'],
  ['access_denied', 'consent_declined'],
  ['admin_approval_needed', 'Approve as administrator'],
  ['conditional_access', 'sign_in_blocked_by_policy'],
  ['wrong_tenant', 'account_not_in_tenant'],
  ['client_secret_expired', 'app_credentials_refused'],
  ['temporarily_unavailable', 'provider_unreachable'],
  ['smtp_scope_missing', 'scope_missing'],
  ['no_licence', 'mailbox_unusable'],
])('%s: the page shows "%s", and is accessible', async (script, shown) => {
  const page = await openLink()
  await consent(page, { person: 'Ada', script })
  await page.getByText(shown).first().waitFor({ timeout: 25_000 })
  await look(page, script)
})
