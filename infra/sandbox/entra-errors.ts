/** Refusals in Entra's words: which AADSTS number, which HTTP status, which JSON, which description. */
import { randomUUID } from 'node:crypto'

/** A refusal before it has its ids and its time. */
interface Refusal {
  /** What oidc-provider says of the cause. */
  needle: RegExp
  status: number
  error: string
  aadsts: number
  text: string
}

/**
 * In this order, the first that fits.
 *
 * @see https://learn.microsoft.com/en-us/entra/identity-platform/reference-error-codes
 */
const refusals: readonly Refusal[] = [
  {
    needle: /client not found|client is invalid/,
    status: 400,
    error: 'unauthorized_client',
    aadsts: 700016,
    text: 'Application was not found in the directory.',
  },
  {
    needle: /invalid secret/,
    status: 401,
    error: 'invalid_client',
    aadsts: 7000215,
    text: 'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.',
  },
  {
    needle: /client_secret must be provided|no client authentication|authentication mechanism|invalid_client/,
    status: 401,
    error: 'invalid_client',
    aadsts: 7000218,
    text: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  },
  {
    needle: /already consumed/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 54005,
    text: 'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  },
  {
    needle: /wrong tenant/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 700005,
    text: 'The provided authorization code or refresh token is intended to be used against another tenant, thus rejected.',
  },
  {
    needle: /code is expired/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 70008,
    text: 'The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.',
  },
  {
    needle: /refresh token is expired/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 700082,
    text: 'The refresh token has expired due to inactivity.',
  },
  {
    needle: /PKCE|code_verifier/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 501481,
    text: 'The Code_Verifier does not match the code_challenge supplied in the authorization request.',
  },
  {
    needle: /redirect_uri mismatch/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 500112,
    text: 'The reply address does not match the reply address provided when requesting Authorization code.',
  },
  {
    // One that is not there (any more) was issued before: by a consent that a revocation ended, or on data now gone.
    needle: /grant not found|grant is expired|already used|refresh token not found/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 50173,
    text: 'The provided grant has expired due to it being revoked, a fresh auth token is needed.',
  },
  {
    needle: /invalid_grant/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 9002313,
    text: 'Invalid request. Request is malformed or invalid.',
  },
  {
    needle: /unsupported_grant_type/,
    status: 400,
    error: 'unsupported_grant_type',
    aadsts: 70003,
    text: 'The app requested an unsupported grant type.',
  },
  {
    needle: /invalid_scope/,
    status: 400,
    error: 'invalid_grant',
    aadsts: 65001,
    text: 'The user or administrator has not consented to use the application. Send an interactive authorization request for this user and resource.',
  },
  {
    needle: /server_error/,
    status: 500,
    error: 'server_error',
    aadsts: 90033,
    text: 'A transient error has occurred. Please try again.',
  },
]

const missingParameter: Omit<Refusal, 'needle'> = {
  status: 400,
  error: 'invalid_request',
  aadsts: 900144,
  text: 'The request body is missing a parameter or has one twice.',
}

/**
 * Entra's status and JSON for what oidc-provider refused.
 *
 * @param of.answer oidc-provider's own error JSON
 * @param of.detail what it said about the cause, empty where it said nothing
 */
export function entraError(of: { answer: unknown; detail: string; nowMs: number }): {
  status: number
  body: object
} {
  const cause = `${of.detail} ${JSON.stringify(of.answer)}`
  const refusal = refusals.find(({ needle }) => needle.test(cause)) ?? missingParameter
  return { status: refusal.status, body: entraErrorBody(refusal, of.nowMs) }
}

/** The JSON of a refusal. The ids and the time stand in the description, too. */
export function entraErrorBody(
  { error, aadsts, text }: { error: string; aadsts: number; text: string },
  nowMs: number,
): object {
  const { lines, timestamp, traceId, correlationId } = describe({ aadsts, text }, nowMs)
  return {
    error,
    error_description: lines,
    error_codes: [aadsts],
    timestamp,
    trace_id: traceId,
    correlation_id: correlationId,
  }
}

/** The `error_description` that goes with an error to the app's redirect URI. */
export function entraDescription(of: { aadsts: number; text: string }, nowMs: number): string {
  return describe(of, nowMs).lines
}

/** The description holds the ids and the time after CRLF, as programs that read it by line expect. */
function describe({ aadsts, text }: { aadsts: number; text: string }, nowMs: number) {
  const traceId = randomUUID()
  const correlationId = randomUUID()
  const timestamp = new Date(nowMs)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z/, 'Z')
  const lines = [
    `AADSTS${aadsts}: ${text} Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join('\r\n')
  return { lines, timestamp, traceId, correlationId }
}
