/** Starts the sandbox: Entra and Google sign-in, Exchange and Gmail, in this process, with its data in one folder. */
import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type AccessTokens, accessTokens } from './access-tokens.ts'
import { type Directory, openDirectory } from './directory.ts'
import { type Entra, entra } from './entra.ts'
import { type Google, google } from './google.ts'
import {
  type Exchange,
  RequestError,
  readForm,
  refuseForeign,
  sendJson,
  sendPage,
  sendProblem,
  wantsPage,
} from './http-exchange.ts'
import { startImap } from './imap.ts'
import { listenOnLoopback } from './loopback.ts'
import { answerMailApi } from './mail-api.ts'
import { mailPage } from './mail-page.ts'
import { openOauthStore } from './oauth-store.ts'
import { answerPersonaApi } from './persona-api.ts'
import type { ProviderId } from './personas.ts'
import { openPostOffice, type PostOffice } from './post-office.ts'
import { type KeyRing, openKeyRing } from './signing-keys.ts'
import { startExchangeSmtp, startGmailSmtp } from './smtp.ts'

/** Where and how the sandbox runs. */
export interface SandboxOptions {
  /** Data lives here and survives a restart. */
  folder: string
  /** 0 takes any free port. Persist what came out and pass the same again: the issuer's name holds the http port. */
  ports: { http: number; smtp: number; smtps?: number; imap: number }
  /** PEM, for localhost and 127.0.0.1; used by all mail servers. */
  certificate: { key: string; cert: string }
  /** The exactly registered redirect URIs. */
  redirectUris: Record<ProviderId, string>
  accessTokenSeconds?: number
  /**
   * Epoch milliseconds. The dates of mails and the mail servers' view of expiry. Tokens are issued by the real clock,
   * so a clock that lags behind it makes fresh tokens not valid yet.
   */
  now?(): number
}

/** A provider entry as `POSTROOM_PROVIDERS` takes it: what differs from the built-in one. */
interface ProviderOverrides {
  issuer: string
  authorizationEndpoint: string
  tokenEndpoint: string
  jwksUri: string
  revocationEndpoint: string | null
  /** Where an administrator approves the app for a tenant; null where the provider has no such page. */
  adminConsentEndpoint: string | null
  imap: { host: string; port: number; security: 'tls' }
  smtp: { host: string; port: number; security: 'tls' | 'starttls' }
}

/** The app as it is registered at a provider. */
interface RegisteredApp {
  clientId: string
  clientSecret: string
  tenant?: string
}

/** A running sandbox. */
export interface Sandbox {
  /** `http://localhost:PORT` */
  origin: string
  ports: { http: number; smtp: number; smtps: number; imap: number }
  providers: Record<ProviderId, ProviderOverrides>
  apps: Record<ProviderId, RegisteredApp>
  close(): Promise<void>
}

// With characters that a form must encode, so that a client that forgets to is found out here.
const apps = {
  microsoft: {
    clientId: '9f1b6a52-3c7d-4e08-b1a4-52d6e0c8f7aa',
    clientSecret: 'sandbox~only+secret/of=microsoft&co',
    tenant: 'common',
  },
  google: { clientId: '407408718192-sandbox.apps.example', clientSecret: 'SANDBOX-only+secret/of=google&co' },
} as const

const defaultAccessTokenSeconds = 3600

/**
 * Starts everything on 127.0.0.1.
 *
 * @throws {Error} one sentence that names the file, if stored data is damaged, or the port, if it is taken
 */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { folder, redirectUris, certificate, now = Date.now } = options
  const { accessTokenSeconds = defaultAccessTokenSeconds } = options
  mkdirSync(folder, { recursive: true })
  const closers: (() => Promise<void> | void)[] = []
  async function close(): Promise<void> {
    for (const closeOne of closers.splice(0).reverse()) await closeOne()
  }

  try {
    const keys = await openKeyRing(join(folder, 'signing-keys.json'))
    const directory = openDirectory(join(folder, 'directory.json'))
    const postOffice = openPostOffice(join(folder, 'mail'), { directory, now })
    const store = openOauthStore(join(folder, 'tokens.sqlite'))
    closers.push(store.close)

    // The issuers' names hold the port, so it must be known before they are made; requests wait in the backlog.
    const server = createServer()
    const httpPort = await listenOnLoopback(server, options.ports.http)
    closers.push(
      () =>
        new Promise(resolve => {
          server.close(() => resolve())
          server.closeAllConnections()
        }),
    )
    const origin = `http://localhost:${httpPort}`
    const shared = { store, directory, keys, accessTokenSeconds, now }
    const microsoft = entra(origin, {
      ...shared,
      client: { ...apps.microsoft, redirectUri: redirectUris.microsoft },
    })
    const gmail = google(origin, {
      ...shared,
      client: { ...apps.google, redirectUri: redirectUris.google },
    })
    const tokens = accessTokens({
      directory,
      keys,
      entraIssuer: microsoft.issuer,
      google: gmail.provider,
      now,
    })
    const parts = { microsoft, gmail, tokens, directory, keys, postOffice, origin, port: httpPort, now }
    server.on('request', (request, response) => void answer({ request, response }, parts))

    const mail = { certificate, tokens, directory, postOffice, now }
    const smtp = await startExchangeSmtp(options.ports.smtp, mail)
    closers.push(smtp.close)
    const smtps = await startGmailSmtp(options.ports.smtps ?? 0, mail)
    closers.push(smtps.close)
    const imap = await startImap(options.ports.imap, mail)
    closers.push(imap.close)

    const ports = { http: httpPort, smtp: smtp.port, smtps: smtps.port, imap: imap.port }
    return { origin, ports, providers: overrides(origin, ports), apps, close }
  } catch (error) {
    await close()
    throw error
  }
}

interface Parts {
  microsoft: Entra
  gmail: Google
  tokens: AccessTokens
  directory: Directory
  keys: KeyRing
  postOffice: PostOffice
  origin: string
  port: number
  now(): number
}

/** Finds who answers a request. A failure of ours is told too, so that nobody waits. */
async function answer(
  { request, response }: { request: IncomingMessage; response: ServerResponse },
  parts: Parts,
): Promise<void> {
  try {
    refuseForeign(request, parts.port)
    const exchange: Exchange = { request, response, url: urlOf(request, parts.origin) }
    if (!(await route(exchange, parts)))
      throw new RequestError('There is nothing at this address', { status: 404 })
  } catch (error) {
    if (response.headersSent) return void response.destroy()
    if (error instanceof RequestError) return sendProblem(response, error)
    console.error('The sandbox failed to answer', error)
    sendProblem(response, new RequestError('The sandbox failed', { status: 500 }))
  }
}

/** Joined and not resolved: a path that starts with two slashes would otherwise name another host. */
function urlOf(request: IncomingMessage, origin: string): URL {
  const url = request.url?.startsWith('/')
    ? URL.canParse(origin + request.url) && new URL(origin + request.url)
    : false
  if (!url) throw new RequestError('The address of the request cannot be read', { status: 400 })
  return url
}

async function route(exchange: Exchange, parts: Parts): Promise<boolean> {
  const { request, response, url } = exchange
  if (url.pathname.startsWith('/entra/')) return parts.microsoft.answer(exchange)
  if (url.pathname.startsWith('/google/')) return parts.gmail.answer(exchange)
  if (request.method === 'POST' && url.pathname === '/introspect') {
    const token = (await readForm(request)).get('token')
    if (token === null) throw new RequestError('token is missing', { status: 400, field: 'token' })
    sendJson(response, { status: 200, body: await parts.tokens.introspect(token) })
    return true
  }
  if (request.method === 'GET' && url.pathname === '/') {
    if (wantsPage(request)) sendPage(response, { status: 200, page: await mailPage(parts) })
    else
      sendJson(response, {
        status: 200,
        body: {
          personas: '/personas',
          mailboxes: '/mailboxes',
          scripts: '/scripts',
          outside: '/outside',
          introspect: '/introspect',
        },
      })
    return true
  }
  return (await answerPersonaApi(exchange, parts)) || answerMailApi(exchange, parts)
}

function overrides(origin: string, ports: Sandbox['ports']): Record<ProviderId, ProviderOverrides> {
  const imap = { host: 'localhost', port: ports.imap, security: 'tls' } as const
  return {
    microsoft: {
      issuer: `${origin}/entra/{tid}/v2.0`,
      authorizationEndpoint: `${origin}/entra/{tenant}/oauth2/v2.0/authorize`,
      tokenEndpoint: `${origin}/entra/{tenant}/oauth2/v2.0/token`,
      jwksUri: `${origin}/entra/{tenant}/discovery/v2.0/keys`,
      revocationEndpoint: null,
      adminConsentEndpoint: `${origin}/entra/organizations/v2.0/adminconsent`,
      imap,
      smtp: { host: 'localhost', port: ports.smtp, security: 'starttls' },
    },
    google: {
      issuer: `${origin}/google`,
      authorizationEndpoint: `${origin}/google/o/oauth2/v2/auth`,
      tokenEndpoint: `${origin}/google/token`,
      jwksUri: `${origin}/google/certs`,
      revocationEndpoint: `${origin}/google/revoke`,
      adminConsentEndpoint: null,
      imap,
      smtp: { host: 'localhost', port: ports.smtps, security: 'tls' },
    },
  }
}
