/** One sandbox per test file, and channels that are signed in to its mailboxes. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { Channel } from '../../functions/channel/channels.ts'
import { bySecret } from '../../functions/channel/client-credential.ts'
import type { OAuthApps } from '../../functions/channel/oauth-apps.ts'
import { mergeProviders, type Providers } from '../../functions/channel/provider.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import { type Sandbox, startSandbox } from '../../infra/sandbox/sandbox.ts'
import { redirectUris, signIn } from '../sandbox/running-sandbox.ts'
import { cacheFolder } from './cache.ts'
import { type Clock, openClock } from './clock.ts'
import { addChannel, type Workbench } from './workbench.ts'

export interface SandboxMailboxes {
  readonly sandbox: Sandbox
  readonly providers: Providers
  readonly apps: OAuthApps
  /** Also the mail servers': put forward, mail arrives later. */
  clock: Clock
  /** Delivers a mail from a customer, or the given bytes. @returns its UID */
  deliver(persona: string, mail: string | Buffer | Record<string, unknown>): Promise<number>
  /** A channel that is connected to a persona's mailbox, from now on. */
  connect(
    bench: Workbench,
    persona: 'ada' | 'grace' | 'margaret' | 'linus',
    changes?: Partial<Channel>,
  ): Promise<Channel>
}

const logins = {
  ada: { provider: 'microsoft', login: 'ada@contoso.example' },
  grace: { provider: 'microsoft', login: 'grace@tenant-a.example' },
  margaret: { provider: 'microsoft', login: 'margaret@fabrikam.example' },
  linus: { provider: 'google', login: 'linus@gmail-sandbox.example' },
} as const

/** Of an entry of the sandbox, what leads to its servers: it may tell more than the functions know yet. */
function serversOf(entry: Sandbox['providers']['microsoft']) {
  const { issuer, authorizationEndpoint, tokenEndpoint, jwksUri, revocationEndpoint, imap, smtp } = entry
  return { issuer, authorizationEndpoint, tokenEndpoint, jwksUri, revocationEndpoint, imap, smtp }
}

/** Registers the hooks that start and stop it. */
export function useSandbox(): SandboxMailboxes {
  const clock = openClock()
  let folder = ''
  let sandbox: Sandbox | undefined

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'postroom-mailboxes-'))
    // The certificate that this process trusts already.
    const certificate = await localhostCertificate(join(cacheFolder, 'sandbox'))
    const ports = { http: 0, smtp: 0, imap: 0 }
    sandbox = await startSandbox({ folder, ports, certificate, redirectUris, now: clock.now })
  })
  afterAll(async () => {
    await sandbox?.close()
    await rm(folder, { recursive: true, force: true })
  })
  const running = () => {
    if (!sandbox) throw new Error('The sandbox is not running')
    return sandbox
  }

  return {
    clock,
    get sandbox() {
      return running()
    },
    get providers() {
      const { microsoft, google } = running().providers
      return mergeProviders({ microsoft: serversOf(microsoft), google: serversOf(google) })
    },
    get apps() {
      const { apps } = running()
      return {
        get: async (id: string) => {
          const { clientId, clientSecret } = id === 'google' ? apps.google : apps.microsoft
          return { clientId, tenant: 'common', authenticate: bySecret(clientSecret) }
        },
        all: async () => ({}),
      }
    },

    async deliver(persona, mail) {
      const raw = typeof mail === 'string' ? Buffer.from(mail.replace(/\r?\n/g, '\r\n')) : mail
      const isRaw = Buffer.isBuffer(raw)
      const letter = {
        from: { address: 'customer@outside.example' },
        subject: 'Question',
        text: 'Why?',
        ...(isRaw ? {} : raw),
      }
      const response = await fetch(`${running().origin}/personas/${persona}/deliver`, {
        method: 'POST',
        headers: {
          'content-type': isRaw ? 'message/rfc822' : 'application/json',
          accept: 'application/json',
        },
        body: isRaw ? new Uint8Array(raw) : JSON.stringify(letter),
      })
      const answer: unknown = await response.json()
      if (typeof answer === 'object' && answer !== null && 'uid' in answer) return Number(answer.uid)
      throw new Error(`Not delivered: ${JSON.stringify(answer)}`)
    },

    async connect(bench, persona, changes = {}) {
      const { provider, login } = logins[persona]
      const { tokens } = await signIn(running(), { persona, provider })
      // INTERNALDATE knows whole seconds: what came before is at least a second old.
      clock.advance(1_000)
      return addChannel(bench, {
        provider,
        identity: {},
        login: { imap: login, smtp: login },
        tokens: { accessToken: tokens.access_token ?? '', refreshToken: tokens.refresh_token ?? '' },
        ...changes,
      })
    },
  }
}
