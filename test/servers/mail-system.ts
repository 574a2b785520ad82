/** The whole system with real mail servers: the sandbox signs people in, Dovecot and Postfix hold and carry their mail. */

import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, vi } from 'vitest'
import type { MailServer } from '../../functions/channel/provider.ts'
import { type App, type Json, openApp } from '../../infra/local/as-app.ts'
import { newPerson } from '../../infra/local/as-person.ts'
import { type Cloud, startCloud } from '../../infra/local/cloud.ts'
import { freePort } from '../../infra/local/free-port.ts'
import { synthesize } from '../../infra/local/synthesize.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { personas } from '../../infra/sandbox/personas.ts'
import { type Sandbox, startSandbox } from '../../infra/sandbox/sandbox.ts'
import { accessTokenOf } from '../sandbox/running-sandbox.ts'
import { assemblyFolder, cacheFolder } from '../support/cache.ts'
import { type Dovecot, startDovecot } from './dovecot.ts'
import { missingForMail } from './installed.ts'
import { type Postfix, startPostfix } from './postfix.ts'

interface Parts {
  sandbox: Sandbox
  dovecot: Dovecot
  postfix: Postfix
  cloud: Cloud
}

export interface MailSystem extends Parts {
  app: App
  /** As a provider's entry has them. */
  imap: MailServer
  smtp: MailServer
  /** Every line the functions and the runner wrote. */
  log: object[]
  /** An access token of the persona, as any program gets that signs in at the sandbox. */
  tokenOf(persona: string): Promise<string>
  /** The whole way from the connect link to the channel's first poll. Each account has a channel of its own. */
  connect(persona: string, accountId: string): Promise<Json>
  /** Asks for a poll and waits until it has ended well. */
  poll(channel: Json): Promise<void>
  /** Polls until the message is there; none is left running. @throws Error after five polls */
  received(channel: Json, fits: (message: Json) => boolean): Promise<Json>
  /** Waits until a message of the app is done. */
  sent(channel: Json, id: string): Promise<{ type: string; message: Json }>
  /** Everything in the account's event log. */
  events(accountId: string): Promise<Json[]>
  /** The raw bytes of a message, as the API has them from S3. */
  raw(messageId: string): Promise<Buffer>
}

const apiKey = 'key-of-this-test-only'
/** Tests ask for every poll themselves. */
const pollIntervalMinutes = 60
const pollTimeoutMs = 60_000
const logTimeoutMs = 3_000

/** Registers the hooks that start and stop it; the object is filled in when the tests run. */
export function useMailSystem(): MailSystem {
  let folder = ''
  let parts: Parts | undefined
  const opened: (() => Promise<unknown>)[] = []
  const log: object[] = []
  const running = (): Parts => {
    if (!parts) throw new Error('The system is not running')
    return parts
  }

  beforeAll(async () => {
    // The tests skip themselves.
    if (missingForMail !== null) return
    folder = await mkdtemp(join(tmpdir(), 'postroom-servers-'))
    opened.push(() => rm(folder, { recursive: true, force: true }))
    await chmod(folder, 0o755)
    parts = await start(folder, { opened, log })
  })
  afterAll(async () => {
    for (const close of opened.reverse()) await close()
  })

  return {
    get sandbox() {
      return running().sandbox
    },
    get dovecot() {
      return running().dovecot
    },
    get postfix() {
      return running().postfix
    },
    get cloud() {
      return running().cloud
    },
    get app() {
      return openApp({ url: running().cloud.url, apiKey })
    },
    get imap() {
      return imapOf(running().dovecot)
    },
    get smtp() {
      return smtpOf(running().postfix)
    },
    log,

    tokenOf(persona) {
      const { sandbox, cloud } = running()
      return accessTokenOf(sandbox, { persona, parameters: { redirect_uri: redirectUri(cloud.url) } })
    },

    async connect(persona, accountId) {
      const { app } = this
      const created = await app.call('POST', '/v1/connect-sessions', { accountId, provider: 'microsoft' })
      if (created.status !== 201) throw new Error(`No connect session: ${JSON.stringify([created, log])}`)
      const landing = await newPerson().connect(created.body.connectUrl, persona)
      if (landing.status !== 200) throw new Error(`The sign-in ended with ${landing.status}: ${landing.text}`)
      const confirmed = await app.call('POST', `/v1/connect-sessions/${created.body.id}/confirm`)
      if (confirmed.status !== 200) throw new Error(`Not confirmed: ${JSON.stringify(confirmed)}`)
      const { channel } = confirmed.body
      // It asks for a poll by itself, which must not come in between what a test does.
      await whenPolled(app, channel)
      return channel
    },

    async poll(channel) {
      const { app } = this
      const { body: before } = await app.call('GET', `/v1/channels/${channel.id}`)
      await app.call('POST', `/v1/channels/${channel.id}/poll`)
      await whenPolled(app, before)
    },

    async received(channel, fits) {
      const { app } = this
      const isIt = (event: Json) => event.type === 'message.received' && fits(event.data.message)
      // One poll brings a hundred mails; what it brought shows in the log a second later.
      for (let polls = 0; polls < 5; polls++) {
        await this.poll(channel)
        const event = await app.event(channel.accountId, isIt, logTimeoutMs).catch(() => undefined)
        if (event) return event.data.message
      }
      throw new Error(`No such mail was received: ${JSON.stringify(log)}`)
    },

    async sent(channel, id) {
      const isAbout = (event: Json) => event.type.startsWith('message.') && event.data.message?.id === id
      const { type, data } = await this.app.event(channel.accountId, isAbout)
      return { type, message: data.message }
    },

    async events(accountId) {
      const all: Json[] = []
      for (let after = ''; ; ) {
        const query = new URLSearchParams({ accountId, limit: '100', ...(after && { after }) })
        const { body } = await this.app.call('GET', `/v1/events?${query}`)
        if (body.events.length === 0) return all
        all.push(...body.events)
        after = body.cursor
      }
    },

    async raw(messageId) {
      const response = await fetch(`${running().cloud.url}/v1/messages/${messageId}/raw`, {
        headers: { authorization: `Bearer ${apiKey}` },
      })
      if (!response.ok) throw new Error(`No raw bytes of ${messageId}: ${response.status}`)
      return Buffer.from(await response.arrayBuffer())
    },
  }
}

/** A poll that somebody asked for leaves its time on the channel, also where there was nothing to fetch. */
async function whenPolled(app: App, before: Json): Promise<void> {
  await vi.waitUntil(
    async () => {
      const { body: channel } = await app.call('GET', `/v1/channels/${before.id}`)
      return channel.lastFetchedAt !== before.lastFetchedAt
    },
    { timeout: pollTimeoutMs, interval: 50 },
  )
}

const imapOf = ({ imapPort }: Dovecot) => ({ host: 'localhost', port: imapPort, security: 'tls' }) as const
const smtpOf = ({ submissionPort }: Postfix) =>
  ({ host: 'localhost', port: submissionPort, security: 'starttls' }) as const
const redirectUri = (url: string) => `${url}/oauth/microsoft/callback`

async function start(
  folder: string,
  { opened, log }: { opened: (() => Promise<unknown>)[]; log: object[] },
): Promise<Parts> {
  const place = async (name: string) => {
    const path = join(folder, name)
    await mkdir(path)
    return path
  }
  // The one that every test process trusts.
  const certificate = await localhostCertificate(join(cacheFolder, 'sandbox'))
  const port = await freePort()
  const url = `http://localhost:${port}`

  const sandbox = await startSandbox({
    folder: await place('sandbox'),
    ports: { http: 0, smtp: 0, imap: 0 },
    certificate,
    redirectUris: { microsoft: redirectUri(url), google: `${url}/oauth/google/callback` },
  })
  opened.push(sandbox.close)
  const owners = personas.filter(({ provider }) => provider === 'microsoft')
  const dovecot = await startDovecot({
    folder: await place('dovecot'),
    certificate,
    introspectionUrl: `http://127.0.0.1:${sandbox.ports.http}/introspect`,
    personas: owners,
  })
  opened.push(() => dovecot.stop())
  const { saslPort, lmtpPort } = dovecot
  const postfix = await startPostfix({
    folder: await place('postfix'),
    certificate,
    saslPort,
    lmtpPort,
    personas: owners,
  })
  opened.push(() => postfix.stop())

  const microsoft = { ...sandbox.providers.microsoft, imap: imapOf(dovecot), smtp: smtpOf(postfix) }
  const cloud = await startCloud({
    assembly: await synthesize({ folder: assemblyFolder }),
    folder: await place('cloud'),
    port,
    apiKey,
    secrets: { OAuthApps: JSON.stringify(sandbox.apps) },
    environment: {
      PUBLIC_URL: url,
      PROVIDERS: JSON.stringify({ ...sandbox.providers, microsoft }),
      RETURN_URLS: JSON.stringify(['http://localhost:*']),
      POLL_INTERVAL_MINUTES: String(pollIntervalMinutes),
    },
    log: line => log.push(line),
  })
  opened.push(() => cloud.close())
  return { sandbox, dovecot, postfix, cloud }
}
