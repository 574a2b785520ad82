/** HTTP answers as API Gateway's payload format 2.0 wants them, and RFC 9457 problem documents. */

import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { PostroomError } from './faults.ts'

export type HttpRequest = APIGatewayProxyEventV2
export type HttpAnswer = APIGatewayProxyStructuredResultV2

export function json(statusCode: number, body: unknown): HttpAnswer {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
    body: JSON.stringify(body),
  }
}

/** `detail` names each field, its rule and the value found; `code` is stable and for programs. */
export function problem(error: PostroomError): HttpAnswer {
  const { status, actor, summary } = error.row
  return {
    statusCode: status,
    headers: {
      'content-type': 'application/problem+json',
      'cache-control': 'no-store',
      ...(error.allow && { allow: error.allow }),
      ...(error.retryAfterMs && { 'retry-after': String(Math.ceil(error.retryAfterMs / 1000)) }),
    },
    body: JSON.stringify({
      type: 'about:blank',
      title: summary,
      status,
      code: error.code,
      actor,
      detail: error.message,
      errors: error.errors,
    }),
  }
}

/**
 * RFC 9110 10.2.3: `Retry-After` is seconds, or a date. A date counts from the answer's own `Date`, so that a
 * clock of ours that is wrong lengthens no wait.
 * @returns undefined if nothing is asked for that lies ahead
 */
export function askedWaitMs(
  retryAfter: string | null | undefined,
  date: string | null | undefined,
): number | undefined {
  const asked = retryAfter ?? ''
  const waitMs = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.parse(date ?? '')
  return Number.isFinite(waitMs) && waitMs > 0 ? waitMs : undefined
}

/** The body as text, however API Gateway packed it. */
export function bodyText(request: HttpRequest): string {
  const { body = '', isBase64Encoded } = request
  return isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body
}

/** For `Content-Disposition`: RFC 6266, and RFC 8187 for letters beyond ASCII. No name can break out of its header. */
export function attachmentNamed(filename: string): string {
  const name = encodeURIComponent(filename.toWellFormed()).replace(/['()*]/g, '_')
  return `attachment; filename*=UTF-8''${name}`
}
