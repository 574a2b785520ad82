/** Errors of the HTTP server itself, as RFC 9457 problem documents with a stable code. */

const problems = {
  bad_request: { status: 400, title: 'Bad Request' },
  unauthorized: { status: 401, title: 'Unauthorized' },
  not_found: { status: 404, title: 'Not Found' },
  payload_too_large: { status: 413, title: 'Content Too Large' },
  host_not_allowed: { status: 421, title: 'Misdirected Request' },
  function_failed: { status: 502, title: 'Bad Gateway' },
} as const

export type ProblemCode = keyof typeof problems

export interface HttpAnswer {
  status: number
  headers: Record<string, string | string[]>
  body: string | Uint8Array
}

/** @see https://www.rfc-editor.org/rfc/rfc9457#section-3 */
export function problem(code: ProblemCode, detail: string): HttpAnswer {
  const { status, title } = problems[code]
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  }
  // A 401 must say how to authenticate (RFC 9110, 11.6.1).
  if (code === 'unauthorized') headers['www-authenticate'] = 'Bearer'
  return { status, headers, body: JSON.stringify({ type: 'about:blank', title, status, code, detail }) }
}
