/** The whole system as `npm start` starts it, and a browser in front of its console. */

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll } from 'vitest'
import { type App, type Json, openApp } from '../../infra/local/as-app.ts'
import { freePort } from '../../infra/local/free-port.ts'
import { readyUrl } from '../../infra/local/ready-url.ts'

/** Debian's Chromium. */
const executablePath = '/usr/bin/chromium'
export const hasBrowser = existsSync(executablePath)

const apiKey = 'key-of-this-test-only'
const nodeFlags = [
  '--experimental-strip-types',
  '--experimental-sqlite',
  '--disable-warning=ExperimentalWarning',
]
const browserFlags = [
  '--headless=new',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

interface WindowOptions {
  width?: number
  height?: number
  /** Device pixels of a pixel. */
  scale?: number
}

export interface RunningConsole {
  url: string
  /** The console in a browser of its own that knows nothing yet. */
  visit(options?: WindowOptions): Promise<Page>
  /** The same, showing the account. */
  open(accountId: string, options?: WindowOptions): Promise<Page>
  /** What pages complained about since the test began: errors, and what the content security policy stopped. */
  complaints: string[]
  /** An app beside the console, on the same API. */
  app(): App
  /** Calls the sandbox's own interface. */
  sandbox(path: string, body?: object): Promise<Json>
}

/**
 * Registers the hooks that start and stop everything; the object is filled in when the tests run.
 * @param environment answers more of it, once the system's address and the folder of its data are known
 */
export function useRunningConsole(
  environment: (system: {
    url: string
    folder: string
  }) => Promise<Record<string, string>> = async () => ({}),
): RunningConsole {
  let folder = ''
  let child: ChildProcess | undefined
  let browser: Browser | undefined
  const running: RunningConsole = {
    url: '',
    complaints: [],
    app: () => openApp({ url: running.url, apiKey }),

    async visit({ width = 1280, height = 800, scale = 1 } = {}) {
      if (!browser) throw new Error('The browser is not running')
      const context = await browser.newContext({
        viewport: { width, height },
        deviceScaleFactor: scale,
        // An issuer on this machine has made its certificate itself.
        ignoreHTTPSErrors: true,
      })
      const page = await context.newPage()
      page.on('pageerror', error => running.complaints.push(String(error)))
      page.on('console', message => {
        if (message.type() === 'error') running.complaints.push(message.text())
      })
      await page.goto(running.url)
      return page
    },

    async open(accountId, options) {
      const page = await running.visit(options)
      await page.getByLabel('Account id').fill(accountId)
      await page.getByRole('button', { name: 'Show', exact: true }).click()
      return page
    },

    async sandbox(path, body) {
      const outputs = JSON.parse(await readFile(join(folder, 'outputs.json'), 'utf8'))
      const response = await fetch(`${outputs.SandboxUrl}${path}`, {
        method: body ? 'POST' : 'GET',
        headers: {
          accept: 'application/json',
          ...(body && { 'content-type': 'application/json' }),
        },
        body: body && JSON.stringify(body),
      })
      if (!response.ok) throw new Error(`The sandbox answered ${response.status} to ${path}`)
      return response.json()
    },
  }

  beforeAll(async () => {
    if (!hasBrowser) return
    folder = await mkdtemp(join(tmpdir(), 'postroom-browser-'))
    const start = fileURLToPath(new URL('../../infra/local/start.ts', import.meta.url))
    const port = await freePort()
    child = spawn(process.execPath, [...nodeFlags, start], {
      env: {
        ...process.env,
        ...(await environment({ url: `http://localhost:${port}`, folder })),
        PORT: String(port),
        POSTROOM_DATA: folder,
        POSTROOM_API_KEY: apiKey,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.url = await readyUrl(child)
    browser = await chromium.launch({ executablePath, args: browserFlags })
  })
  afterEach(async () => {
    running.complaints.length = 0
    for (const context of browser?.contexts() ?? []) await context.close()
  })
  afterAll(async () => {
    await browser?.close()
    if (child) await stop(child)
    if (folder) await rm(folder, { recursive: true, force: true })
  })
  return running
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const exited = new Promise(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  await exited
}

interface SignIn {
  provider?: string
  /** The name on the consent page. */
  person: string
  decision?: 'Accept' | 'Decline'
}

/** What a mailbox owner clicks, from the console's button to the page after the consent. */
export async function signIn(
  page: Page,
  { provider = 'Microsoft 365', person, decision = 'Accept' }: SignIn,
) {
  await page.getByRole('button', { name: provider, exact: true }).click()
  await page.getByRole('button', { name: `Continue to ${provider}` }).click()
  await page.getByRole('radio', { name: person }).check()
  await page.getByRole('button', { name: decision }).click()
}

/** Until the console says so, the mailbox is not connected. */
export async function connect(page: Page, options: SignIn) {
  await signIn(page, options)
  await page.getByText('is connected to the account').waitFor()
}
