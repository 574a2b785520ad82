/** A sandbox on free ports in a fresh folder, and the steps that an app and a browser take with it. */

import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as v from 'valibot'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { parse } from '../../functions/channel/schema-check.ts'
import { localhostCertificate } from '../../infra/sandbox/certificate.ts'
import type { ProviderId } from '../../infra/sandbox/personas.ts'
import { type Sandbox, type SandboxOptions, startSandbox } from '../../infra/sandbox/sandbox.ts'

export const redirectUris = {
  microsoft: 'http://localhost:4400/oauth/microsoft/callback',
  google: 'http://localhost:4400/oauth/google/callback',
} as const

export const outlookScopes =
  'openid profile email offline_access https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send'
const gmailScopes = 'openid email profile https://mail.google.com/'

const tokenAnswer = v.looseObject({
  access_token: v.optional(v.string()),
  refresh_token: v.optional(v.string()),
  id_token: v.optional(v.string()),
  scope: v.optional(v.string()),
  error_description: v.optional(v.string()),
})

/** What the token endpoint answered. */
export type TokenAnswer = v.InferOutput<typeof tokenAnswer>

const messageList = v.object({
  messages: v.array(
    v.looseObject({
      id: v.optional(v.string()),
      messageId: v.nullable(v.string()),
      from: v.array(v.unknown()),
    }),
  ),
})

/** The mails that the sandbox lists at a path. */
export async function listMessages(sandbox: Sandbox, path: string) {
  const response = await fetch(`${sandbox.origin}${path}`)
  return parse(messageList, await response.json()).messages
}

/** A sandbox, and what starts it again with the same data on the same ports. */
export interface RunningSandbox extends Sandbox {
  ca: string
  folder: string
  options: SandboxOptions
}

/** A folder that is gone after the test. */
export async function freshFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'postroom-sandbox-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Starts a sandbox that ends with the test. */
export async function sandboxForTest(changes: Partial<SandboxOptions> = {}): Promise<RunningSandbox> {
  const sandbox = await launch(changes.folder ?? (await freshFolder()), changes)
  onTestFinished(() => sandbox.close())
  return sandbox
}

/** One sandbox for all tests of a file whose tests do not mind each other. */
export function sandboxForFile(): () => RunningSandbox {
  let sandbox: RunningSandbox | undefined
  beforeAll(async () => {
    sandbox = await launch(await mkdtemp(join(tmpdir(), 'postroom-sandbox-')), {})
  })
  afterAll(async () => {
    await sandbox?.close()
    if (sandbox) await rm(sandbox.folder, { recursive: true, force: true })
  })
  return () => {
    if (!sandbox) throw new Error('The sandbox has not started')
    return sandbox
  }
}

async function launch(folder: string, changes: Partial<SandboxOptions>): Promise<RunningSandbox> {
  const certificate = await localhostCertificate(join(folder, 'certificate'))
  const options = { folder, ports: { http: 0, smtp: 0, imap: 0 }, certificate, redirectUris, ...changes }
  const sandbox = await startSandbox(options)
  return { ...sandbox, ca: certificate.cert, folder, options: { ...options, ports: sandbox.ports } }
}

/** One authorization request of an app, with what it has to remember. */
export interface Flow {
  provider: ProviderId
  tenant: string
  parameters: URLSearchParams
  verifier: string
}

/** What a test may change about a request. */
export interface FlowChanges {
  provider?: ProviderId
  tenant?: string
  parameters?: Record<string, string>
}

/** Prepares a request with PKCE, state and nonce, as an app would. */
export function newFlow(
  sandbox: Sandbox,
  { provider = 'microsoft', tenant = 'common', parameters = {} }: FlowChanges,
): Flow {
  const verifier = randomBytes(32).toString('base64url')
  const google = { scope: gmailScopes, access_type: 'offline' }
  return {
    provider,
    tenant,
    verifier,
    parameters: new URLSearchParams({
      client_id: sandbox.apps[provider].clientId,
      response_type: 'code',
      redirect_uri: redirectUris[provider],
      state: randomBytes(8).toString('hex'),
      nonce: randomBytes(8).toString('hex'),
      code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      code_challenge_method: 'S256',
      ...(provider === 'google' ? google : { scope: outlookScopes, prompt: 'select_account' }),
      ...parameters,
    }),
  }
}

/** GETs the authorize URL without following its redirect. */
export function openAuthorize(sandbox: Sandbox, { provider, tenant, parameters }: Flow): Promise<Response> {
  const endpoint = sandbox.providers[provider].authorizationEndpoint.replace('{tenant}', tenant)
  return fetch(`${endpoint}?${parameters}`, { redirect: 'manual' })
}

/** What a person fills in on the consent page. */
export interface Decision {
  flow: Flow
  persona: string
  decision?: 'accept' | 'decline'
  /** The field is left out where this is. */
  script?: string | undefined
}

/** Sends the consent page's form and returns the very answer. */
export async function sendConsent(
  sandbox: Sandbox,
  { flow, persona, decision = 'accept', script }: Decision,
): Promise<Response> {
  const authorize = await openAuthorize(sandbox, flow)
  const page = authorize.headers.get('location') ?? ''
  const form = new URLSearchParams({ persona, decision, ...(script !== undefined && { script }) })
  return fetch(page, { method: 'POST', body: form, redirect: 'manual' })
}

/** Goes through the consent page and returns where the browser is sent. */
export async function decide(sandbox: Sandbox, decision: Decision): Promise<URL> {
  const answer = await sendConsent(sandbox, decision)
  return new URL(answer.headers.get('location') ?? '')
}

/** PUTs JSON to the sandbox's own interface. */
export function put(sandbox: Sandbox, { path, body }: { path: string; body: unknown }): Promise<Response> {
  return fetch(`${sandbox.origin}${path}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

/** Makes a persona follow a script from now on; null is as usual. */
export async function follow(
  sandbox: Sandbox,
  { persona, script }: { persona: string; script: string | null },
): Promise<void> {
  const answer = await put(sandbox, { path: `/personas/${persona}/script`, body: { script } })
  if (!answer.ok) throw new Error(`The script was refused: ${await answer.text()}`)
}

/** POSTs to the token endpoint with the app's credentials; `form` is added and wins. */
export async function askForTokens(
  sandbox: Sandbox,
  {
    provider = 'microsoft',
    tenant = 'common',
    form,
  }: { provider?: ProviderId; tenant?: string; form: Record<string, string> },
): Promise<{ status: number; body: TokenAnswer }> {
  const { clientId, clientSecret } = sandbox.apps[provider]
  const response = await fetch(sandbox.providers[provider].tokenEndpoint.replace('{tenant}', tenant), {
    method: 'POST',
    body: new URLSearchParams({ client_id: clientId, client_secret: clientSecret, ...form }),
  })
  return { status: response.status, body: parse(tokenAnswer, await response.json()) }
}

/** The form that redeems a code. */
export function codeForm(flow: Flow, redirected: URL): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    code: redirected.searchParams.get('code') ?? '',
    redirect_uri: flow.parameters.get('redirect_uri') ?? '',
    code_verifier: flow.verifier,
  }
}

/** The whole code flow. */
export async function signIn(
  sandbox: Sandbox,
  { persona, script, ...changes }: FlowChanges & { persona: string; script?: string },
): Promise<{ tokens: TokenAnswer; flow: Flow }> {
  const flow = newFlow(sandbox, changes)
  const redirected = await decide(sandbox, { flow, persona, script })
  const { provider, tenant } = flow
  const { body } = await askForTokens(sandbox, { provider, tenant, form: codeForm(flow, redirected) })
  return { tokens: body, flow }
}

/** The access token of a fresh sign-in. */
export async function accessTokenOf(
  sandbox: Sandbox,
  who: FlowChanges & { persona: string; script?: string },
): Promise<string> {
  const { tokens } = await signIn(sandbox, who)
  return tokens.access_token ?? ''
}
