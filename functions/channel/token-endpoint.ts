/** The only file that calls token endpoints. Answers and errors never reach a log: they hold tokens and names. */

import * as v from 'valibot'
import { PostroomError } from './faults.ts'
import { askedWaitMs } from './http.ts'
import { log } from './log.ts'
import type { ClientAuthentication, OAuthApp } from './oauth-app.ts'
import { type ProviderEntry, tenantUrl } from './provider.ts'
import { check } from './schema-check.ts'
import { numeric } from './single-values.ts'
import { tokenRefusal } from './token-answers.ts'

/** Shorter than the broker's lease, so that a lease outlives every call made under it. */
export const tokenTimeoutMs = 15_000

const answerSchema = v.object({
  access_token: v.pipe(v.string(), v.minLength(1)),
  refresh_token: v.optional(v.pipe(v.string(), v.minLength(1))),
  id_token: v.optional(v.pipe(v.string(), v.minLength(1))),
  expires_in: v.pipe(numeric, v.number(), v.finite(), v.gtValue(0)),
  scope: v.optional(v.string()),
})

export interface TokenAnswer {
  accessToken: string
  /** Absent where the provider keeps the old one (Google). */
  refreshToken: string | null
  idToken: string | null
  expiresInMs: number
  /** What was granted, which need not be what was asked. Null if the provider does not say. */
  scope: string | null
}

export interface TokenRequest {
  entry: ProviderEntry
  app: OAuthApp
  /** The person's own tenant once known: pins refreshes to it. Null at the first exchange. */
  tenantId: string | null
  /** Longest wait for the answer. */
  timeoutMs?: number | undefined
}

/** RFC 6749 4.1.3 with RFC 7636 4.5: trades the code, once, proving that we began the flow. */
export function redeemCode(
  request: TokenRequest,
  grant: { code: string; codeVerifier: string; redirectUri: string },
): Promise<TokenAnswer> {
  return call(request, {
    grant_type: 'authorization_code',
    code: grant.code,
    code_verifier: grant.codeVerifier,
    redirect_uri: grant.redirectUri,
  })
}

/** RFC 6749 6. Scopes are named again: Entra then includes an id_token with fresh claims. */
export function refreshGrant(request: TokenRequest, refreshToken: string): Promise<TokenAnswer> {
  return call(request, {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    scope: request.entry.scopes.join(' '),
  })
}

/**
 * RFC 7009. Does nothing where the provider has no revocation endpoint; a token that is dead already counts
 * as revoked.
 * @throws PostroomError as the other calls
 */
export async function revokeToken(
  { entry, app }: Pick<TokenRequest, 'entry' | 'app'>,
  token: string,
): Promise<void> {
  if (!entry.revocationEndpoint) return
  const response = await postAs(app, entry.revocationEndpoint, { form: { token } })
  if (!response.ok && response.status !== 400) throw refusal(response, false)
}

async function call(request: TokenRequest, form: Record<string, string>): Promise<TokenAnswer> {
  const { entry, app, tenantId, timeoutMs } = request
  const endpoint = tenantUrl(entry.tokenEndpoint, tenantId ?? app.tenant)
  const response = await postAs(app, endpoint, { form, timeoutMs })
  if (!response.ok) throw refusal(response, form.grant_type === 'authorization_code')
  const answer = check(answerSchema, response.body)
  if (!answer.success) {
    throw new PostroomError('provider_unreachable', { evidence: 'the token answer has no token' })
  }
  const { access_token, refresh_token, id_token, expires_in, scope } = answer.data
  return {
    accessToken: access_token,
    refreshToken: refresh_token ?? null,
    idToken: id_token ?? null,
    expiresInMs: expires_in * 1000,
    scope: scope ?? null,
  }
}

interface Answer {
  ok: boolean
  status: number
  body: unknown
  retryAfterMs: number | undefined
}

/**
 * Proves the app by what it proves itself by now. While its secret is being replaced, one that is refused is not the
 * end: the one before is shown too. A provider looks at the client before it looks at the grant, so that neither a
 * code nor a refresh token is used up by the first call (RFC 6749 3.2.1).
 */
async function postAs(
  app: OAuthApp,
  endpoint: string,
  { form, timeoutMs = tokenTimeoutMs }: { form: Record<string, string>; timeoutMs?: number | undefined },
): Promise<Answer> {
  // One limit for both calls: the broker's lease outlives it.
  const signal = AbortSignal.timeout(timeoutMs)
  const proveBy = async (authenticate: ClientAuthentication) => {
    const proof = await authenticate(endpoint)
    return post(endpoint, { client_id: app.clientId, ...proof, ...form }, signal)
  }
  const { authenticate, authenticateAsBefore } = app
  if (!authenticateAsBefore) return proveBy(authenticate)

  const answer = await proveBy(authenticate).catch(error => {
    if (error instanceof PostroomError && error.code === 'app_credential_unavailable') return undefined
    throw error
  })
  if (answer && !isClientRefused(answer)) return answer
  log({ event: 'new_app_credential_refused', clientId: app.clientId })
  return proveBy(authenticateAsBefore)
}

function isClientRefused({ ok, status, body }: Answer): boolean {
  return !ok && tokenRefusal(status, body, false).code === 'app_credentials_refused'
}

async function post(url: string, form: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: new URLSearchParams(form).toString(),
      redirect: 'error',
      signal,
    })
    return {
      ok: response.ok,
      status: response.status,
      body: await response.json().catch(() => null),
      retryAfterMs: askedWaitMs(response.headers.get('retry-after'), response.headers.get('date')),
    }
  } catch (cause) {
    throw new PostroomError('provider_unreachable', { cause, evidence: 'no answer from the token endpoint' })
  }
}

function refusal({ status, body, retryAfterMs }: Answer, exchanging: boolean): PostroomError {
  const { code, evidence } = tokenRefusal(status, body, exchanging)
  return new PostroomError(code, { evidence, retryAfterMs })
}
