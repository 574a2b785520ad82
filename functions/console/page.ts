/** A page of the console as it is sent: on AWS by this function, on one machine by infra/local/console-pages.ts. */

import { extname } from 'node:path'
import * as v from 'valibot'

export interface Page {
  headers: Record<string, string>
  body: string
}

/** How an operator's browser signs in: as a public client, by authorization code and PKCE (RFC 7636). No secret is in it. */
export const signInSchema = v.object({
  issuer: v.string(),
  clientId: v.string(),
  authorizationEndpoint: v.string(),
  tokenEndpoint: v.string(),
  scope: v.string(),
  /** What else the issuer must be told, such as `resource` (RFC 8707) or `audience`. */
  parameters: v.record(v.string(), v.string()),
  accountClaim: v.string(),
  operatorScope: v.nullable(v.string()),
})

export type SignIn = v.InferOutput<typeof signInSchema>

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** @returns undefined for a file that is none of the console's */
export function contentTypeOf(name: string): string | undefined {
  return contentTypes[extname(name)]
}

/** The page reads these from its `meta` elements. */
export function withSettings(
  html: string,
  {
    apiKey = '',
    sandboxOrigin = '',
    signIn = '',
  }: { apiKey?: string; sandboxOrigin?: string; signIn?: string },
): string {
  return html
    .replace('{{apiKey}}', () => attribute(apiKey))
    .replace('{{sandboxOrigin}}', () => attribute(sandboxOrigin))
    .replace('{{signIn}}', () => attribute(signIn))
}

function attribute(text: string): string {
  return text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

/**
 * Pictures may come from anywhere by https: a reader may ask for those of a mail. The frame that shows a mail has a
 * stricter policy of its own until then (infra/console/formatted.js).
 * @param connectTo origins, besides its own, that the page may call
 */
export function pageHeaders(
  contentType = 'application/octet-stream',
  connectTo: string[] = [],
): Record<string, string> {
  const connect = ["'self'", ...connectTo].join(' ')
  return {
    'content-type': contentType,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; connect-src ${connect}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
  }
}
