/** The CLI's view of the HTTP API: a call answers, or says in one sentence why not. */

import * as z from 'zod'
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
  call<S extends z.ZodType>(schema: S, method: string, path: string, parts?: Parts): Promise<z.output<S>>
  /** For answers that are no JSON. @throws ApiError */
  bytes(path: string): Promise<Uint8Array>
}

interface Parts {
  /** What is undefined is left out. */
  query?: Record<string, string | undefined>
  body?: object
  headers?: Record<string, string>
}

const problemSchema = z.object({ code: z.string(), detail: z.string() })

/** Longer than any call of the API may take: the function behind it ends after 29 s. */
const timeoutMs = 60_000

export function openApi({ url, access }: { url: string; access: Access }): Api {
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
      signal: AbortSignal.timeout(timeoutMs),
    }).catch(() => {
      throw new ApiError(`Postroom does not answer at ${url}. Is it running?`, {
        exitCode: exitCodes.unreachable,
      })
    })
    if (!response.ok && response.status !== 302)
      throw refusal(response.status, await response.text().catch(() => ''), url)
    return response
  }

  return {
    async call(schema, method, path, parts = {}) {
      const response = await answerTo(method, path, parts)
      const answer = schema.safeParse(await response.json().catch(() => null))
      if (answer.success) return answer.data
      throw new ApiError(
        `${url} answered ${method} ${path} otherwise than this version of the CLI knows: ${z.prettifyError(answer.error)}`,
        { exitCode: exitCodes.refused },
      )
    },
    async bytes(path) {
      const answer = await answerTo('GET', path, {})
      return new Uint8Array(await (await atItsPlace(answer)).arrayBuffer())
    },
  }
}

/** Large files the API leaves to S3, whose URL is permission enough: no credential goes there. */
async function atItsPlace(answer: Response): Promise<Response> {
  const place = answer.headers.get('location')
  if (answer.ok || place === null) return answer
  const { origin } = new URL(place)
  const response = await fetch(place).catch(() => {
    throw new ApiError(`${origin}, where the bytes lie, does not answer.`, {
      exitCode: exitCodes.unreachable,
    })
  })
  if (!response.ok) throw refusal(response.status, '', origin)
  return response
}

function refusal(status: number, text: string, url: string): ApiError {
  const exitCode = exitCodeOf(status)
  const problem = problemSchema.safeParse(jsonOf(text))
  if (problem.success) {
    const { code, detail } = problem.data
    // The provider's verdict, which stays the same; a gateway's own 502 has no code of ours.
    const verdict = status === 502 ? exitCodes.refused : exitCode
    return new ApiError(`${code}: ${detail}`, { code, exitCode: verdict })
  }
  // API Gateway answers before any code of ours, in words of its own.
  const words = z.object({ message: z.string() }).safeParse(jsonOf(text))
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
