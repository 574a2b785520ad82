/** What S3 does with presigned URLs and fauxqs does not: hold a request to what was signed, and answer as the URL asks. */

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { buildApp } from 'fauxqs'

/** The secret of every function on this machine (functions.ts). */
export const localSecret = 'local'

/** Headers of the answer by what asks for them: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html */
const answerHeaders = {
  'response-content-type': 'content-type',
  'response-content-disposition': 'content-disposition',
}

export function honourPresigned(app: ReturnType<typeof buildApp>, pageOrigin?: string): void {
  // Before the body is read, as S3 does.
  app.addHook('onRequest', async (request, reply) => {
    const code = refusalOf(request.raw, Date.now())
    if (code === undefined) return
    return reply.code(403).type('application/xml').send(`<Error><Code>${code}</Code></Error>`)
  })
  app.addHook('onSend', async (request, reply) => {
    if (isDownloadByPage(request.raw, pageOrigin)) reply.header('access-control-allow-origin', pageOrigin)
    if (request.method !== 'GET' || reply.statusCode >= 300) return
    const { parameters } = partsOf(request.raw)
    for (const [parameter, header] of Object.entries(answerHeaders)) {
      const value = parameters.get(parameter)
      if (value !== null) reply.header(header, value)
    }
  })
}

/** Whether a page of this origin asks for what a presigned URL names. The signature is checked beside. */
export function isDownloadByPage(request: IncomingMessage, pageOrigin: string | undefined): boolean {
  if (pageOrigin === undefined || request.headers.origin !== pageOrigin || request.method !== 'GET')
    return false
  return partsOf(request).parameters.has('X-Amz-Signature')
}

/** @returns S3's error code; undefined for what is just as it was signed, and for what is not presigned at all */
function refusalOf(request: IncomingMessage, nowMs: number): string | undefined {
  const { parameters } = partsOf(request)
  const given = parameters.get('X-Amz-Signature')
  if (given === null) return undefined
  const [, ...digits] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(parameters.get('X-Amz-Date') ?? '') ?? []
  const [year = 0, month = 0, ...rest] = digits.map(Number)
  const signedAtMs = Date.UTC(year, month - 1, ...rest)
  const endsAtMs = signedAtMs + Number(parameters.get('X-Amz-Expires')) * 1000
  if (!(nowMs < endsAtMs)) return 'AccessDenied'
  const ours = Buffer.from(signatureOf(request))
  const theirs = Buffer.from(given)
  return ours.length === theirs.length && timingSafeEqual(ours, theirs) ? undefined : 'SignatureDoesNotMatch'
}

/** @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
function signatureOf(request: IncomingMessage): string {
  const { path, query, parameters } = partsOf(request)
  const signedHeaders = parameters.get('X-Amz-SignedHeaders') ?? ''
  const canonicalRequest = [
    request.method,
    path,
    query
      .split('&')
      .filter(parameter => !parameter.startsWith('X-Amz-Signature='))
      .sort()
      .join('&'),
    ...signedHeaders.split(';').map(name => `${name}:${request.headers[name] ?? ''}`),
    '',
    signedHeaders,
    // The body is not signed, only its length and its type.
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const time = parameters.get('X-Amz-Date') ?? ''
  const [, ...scope] = (parameters.get('X-Amz-Credential') ?? '').split('/')
  const key = scope.reduce<string | Buffer>(hmac, `AWS4${localSecret}`)
  const hashed = createHash('sha256').update(canonicalRequest).digest('hex')
  const text = ['AWS4-HMAC-SHA256', time, scope.join('/'), hashed].join('\n')
  return hmac(key, text).toString('hex')
}

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function partsOf({ url = '' }: IncomingMessage): {
  path: string
  query: string
  parameters: URLSearchParams
} {
  const [path = '', query = ''] = url.split('?')
  return { path, query, parameters: new URLSearchParams(query) }
}
