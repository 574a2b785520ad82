/** The CLI's view of the HTTP API: a call answers, or says in one sentence why not. */

import * as v from 'valibot'
import { check, inWords } from '../../functions/channel/schema-check.ts'
import type { Access } from './access.ts'
import { type ExitCode, exitCodes } from './command.ts'

export class ApiError extends Error {
  override readonly name = 'ApiError'
  /** The API's stable code; null where no answer of the API came. */
  readonly code: string | null
  readonly exitCode: ExitCode

  constructor(message: string, { code = null, exitCode }: { code?: string | null; exitCode: ExitCode }) {
    super(message)
    this.code = code
    this.exitCode = exitCode
  }
}

export interface Api {
  /** Answers what the schema lets through. @throws ApiError with the API's own words */
  call<S extends v.GenericSchema>(
    schema: S,
    method: string,
    path: string,
    parts?: Parts,
  ): Promise<v.InferOutput<S>>
  /** For answers that are no JSON. @throws ApiError */
  bytes(path: string): Promise<Uint8Array>
}

interface Parts {
  /** What is undefined is left out. */
  query?: Record<string, string | undefined>
  body?: object
  headers?: Record<string, string>
}

const problemSchema = v.object({ code: v.string(), detail: v.string() })

/** Longer than any call of the API may take: the function behind it ends after 29 s. */
const answerTimeoutMs = 60_000
/** As long as 30 MB take over 0.5 Mbit/s. */
const downloadTimeoutMs = 8 * 60_000

interface ApiOptions {
  url: string
  access: Access
  /** Until all of what the API sent us on to is here. */
  downloadMs?: number
}

export function openApi({ url, access, downloadMs = downloadTimeoutMs }: ApiOptions): Api {
  async function answerTo(method: string, path: string, { query = {}, body, headers = {} }: Parts) {
    const target = new URL(`${url.replace(/\/$/, '')}${path}`)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) target.searchParams.set(name, value)
    }
    // A space is %20 to every reader; as + it is a plus sign to those who check signatures (RFC 3986).
    target.search = target.search.replaceAll('+', '%20')
    const request = {
      method,
      url: target,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    }
    const granted = await access(request)
    const response = await fetch(target, {
      method,
      headers: { ...request.headers, ...granted },
      body: request.body,
      // The key goes to nobody whom the API names.
      redirect: 'manual',
      signal: AbortSignal.timeout(answerTimeoutMs),
    }).catch(() => {
      throw new ApiError(`Postroom does not answer at ${url}. Is it running?`, {
        exitCode: exitCodes.unreachable,
      })
    })
    if (response.ok) return response
    const place = response.status === 302 ? response.headers.get('location') : null
    if (place === null) throw refusal(response.status, await response.text().catch(() => ''), url)
    return atItsPlace(new URL(place, target))
  }

  /** Large answers the API leaves to S3, whose URL is permission enough: no credential goes there. */
  async function atItsPlace(place: URL): Promise<Response> {
    if (place.protocol !== 'https:' && new URL(url).protocol === 'https:')
      throw new ApiError(`${url} leads to ${place.origin}, which is not encrypted.`, {
        exitCode: exitCodes.refused,
      })
    const response = await fetch(place, { signal: AbortSignal.timeout(downloadMs) }).catch(() => {
      throw brokenOff(place)
    })
    if (!response.ok) throw refusal(response.status, '', place.origin)
    return response
  }

  return {
    async call(schema, method, path, parts = {}) {
      const response = await answerTo(method, path, parts)
      const answer = check(schema, await response.json().catch(() => null))
      if (answer.success) return answer.data
      throw new ApiError(
        `${url} answered ${method} ${path} otherwise than this version of the CLI knows: ${answer.broken.map(inWords).join('; ')}`,
        { exitCode: exitCodes.refused },
      )
    },
    async bytes(path) {
      const response = await answerTo('GET', path, {})
      const bytes = await response.arrayBuffer().catch(() => {
        throw brokenOff(new URL(response.url))
      })
      return new Uint8Array(bytes)
    },
  }
}

/** @param place without its query, which is permission to read */
function brokenOff({ origin }: URL): ApiError {
  return new ApiError(`${origin} does not answer, or broke off its answer.`, {
    exitCode: exitCodes.unreachable,
  })
}

function refusal(status: number, text: string, url: string): ApiError {
  const exitCode = exitCodeOf(status)
  const problem = check(problemSchema, jsonOf(text))
  if (problem.success) {
    const { code, detail } = problem.data
    // The provider's verdict, which stays the same; a gateway's own 502 has no code of ours.
    const verdict = status === 502 ? exitCodes.refused : exitCode
    return new ApiError(`${code}: ${detail}`, { code, exitCode: verdict })
  }
  // API Gateway answers before any code of ours, in words of its own.
  const words = check(v.object({ message: v.string() }), jsonOf(text))
  return new ApiError(`${url} answered HTTP ${status}${words.success ? `: ${words.data.message}` : ''}`, {
    exitCode,
  })
}

function exitCodeOf(status: number): ExitCode {
  if (status === 401 || status === 403) return exitCodes.notAllowed
  if (status === 404) return exitCodes.notFound
  if (status === 429 || status >= 500) return exitCodes.unreachable
  return exitCodes.refused
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
