/** One HTTP request and its answer: reading bodies, writing JSON, pages and problems, and who may ask at all. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Markup } from './markup.ts'

/** What a route gets. `url` is absolute. */
export interface Exchange {
  request: IncomingMessage
  response: ServerResponse
  url: URL
}

/** A request that cannot be served, told to the asker as problem JSON (RFC 9457). */
export class RequestError extends Error {
  readonly status: number
  /** The field that is wrong, null where no single one is. */
  readonly field: string | null

  constructor(message: string, { status, field = null }: { status: number; field?: string | null }) {
    super(message)
    this.status = status
    this.field = field
  }
}

/**
 * Reads the whole body.
 *
 * @throws {RequestError} 413 beyond `limitBytes`
 */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes > limitBytes)
      throw new RequestError(`The body is longer than ${limitBytes} bytes`, { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Reads a form as `application/x-www-form-urlencoded`. */
export async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams((await readBody(request, 1_000_000)).toString('utf8'))
}

/** The media type of the body without parameters, in lower case. */
export function mediaType(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}

/** Answers with JSON. */
export function sendJson(
  response: ServerResponse,
  { status, body }: { status: number; body: unknown },
): void {
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'cache-control': 'no-store',
  })
  response.end(JSON.stringify(body))
}

/** Answers with a page. No script and nothing from elsewhere can run in it, and no page can frame it. */
export function sendPage(response: ServerResponse, { status, page }: { status: number; page: Markup }): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // Not form-action: browsers apply it to the redirect after the consent form too, which goes to the app.
    'content-security-policy':
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  })
  response.end(page.markup)
}

/** Answers a failed request: problem JSON that names the field (RFC 9457). */
export function sendProblem(response: ServerResponse, error: RequestError): void {
  response.writeHead(error.status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
  })
  const field = error.field === null ? {} : { field: error.field }
  response.end(
    JSON.stringify({
      status: error.status,
      title: 'The request cannot be served',
      detail: error.message,
      ...field,
    }),
  )
}

/** Sends the browser on with a GET. */
export function redirect(response: ServerResponse, location: string): void {
  response.writeHead(303, { location })
  response.end()
}

/** Whether the asker is a browser that wants a page. */
export function wantsPage(request: IncomingMessage): boolean {
  return (request.headers.accept ?? '').includes('text/html')
}

/**
 * Refuses what a foreign web page could make a developer's browser do: requests under another host name (DNS
 * rebinding) and POSTs from another origin. Programs send neither `Origin` nor `Sec-Fetch-Site` and pass.
 *
 * @throws {RequestError} 403 (421 for the host)
 */
export function refuseForeign(request: IncomingMessage, port: number): void {
  const hosts = [`localhost:${port}`, `127.0.0.1:${port}`]
  if (!hosts.includes((request.headers.host ?? '').toLowerCase())) {
    throw new RequestError('This sandbox answers as localhost or 127.0.0.1 only', {
      status: 421,
      field: 'Host',
    })
  }
  if (request.method === 'GET' || request.method === 'HEAD') return
  const { origin } = request.headers
  const site = request.headers['sec-fetch-site']
  const sameOrigin = origin === undefined || hosts.some(host => origin === `http://${host}`)
  const sameSite = site === undefined || site === 'same-origin' || site === 'none'
  if (!sameOrigin || !sameSite)
    throw new RequestError('A page of another site may not post here', { status: 403, field: 'Origin' })
}
