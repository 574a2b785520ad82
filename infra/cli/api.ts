/** The CLI's view of the HTTP API: a call answers or says in one sentence why not. */

import { z } from 'zod'

export class ApiError extends Error {
  override readonly name = 'ApiError'
}

export interface Api {
  /** @throws ApiError with the API's own words */
  call<S extends z.ZodType>(schema: S, method: string, path: string, body?: object): Promise<z.output<S>>
}

const problemSchema = z.object({ code: z.string(), detail: z.string() })

export function openApi({ url, apiKey }: { url: string; apiKey: string }): Api {
  return {
    async call(schema, method, path, body) {
      const response = await fetch(`${url}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          ...(body && { 'content-type': 'application/json' }),
        },
        body: body && JSON.stringify(body),
      }).catch(() => {
        throw new ApiError(`Postroom does not answer at ${url}. Is it running?`)
      })
      const answer: unknown = await response.json().catch(() => null)
      if (response.ok) return schema.parse(answer)
      const problem = problemSchema.safeParse(answer)
      throw new ApiError(
        problem.success ? `${problem.data.code}: ${problem.data.detail}` : `HTTP ${response.status}`,
      )
    },
  }
}

const loginSchema = z.object({ imap: z.string(), smtp: z.string() })

const channelSchema = z.object({
  id: z.string(),
  accountId: z.string(),
  provider: z.string(),
  email: z.string(),
  login: loginSchema,
  auth: z.object({
    state: z.string(),
    fault: z.object({ summary: z.string(), actor: z.string() }).nullable(),
  }),
  connection: z.object({ state: z.string() }),
  disconnectedAt: z.string().nullable(),
})
export type Channel = z.infer<typeof channelSchema>

const attemptSchema = z.object({ login: z.string(), accepted: z.boolean(), answer: z.string() })
export const recheckSchema = z.object({
  before: loginSchema,
  after: loginSchema,
  imap: z.array(attemptSchema),
  smtp: z.array(attemptSchema),
})

const pageSchema = z.object({ channels: z.array(channelSchema), cursor: z.string().nullable() })

/** Page by page, so that a million channels need no memory; each with the cursor that continues after its page. */
export async function* allChannels(
  api: Api,
  { account, after }: { account: string | undefined; after: string | undefined },
): AsyncGenerator<{ channels: Channel[]; cursor: string | null }> {
  let cursor: string | null = after ?? null
  do {
    const query = new URLSearchParams({ limit: '100' })
    if (account) query.set('accountId', account)
    if (cursor) query.set('cursor', cursor)
    const page: z.infer<typeof pageSchema> = await api.call(pageSchema, 'GET', `/v1/channels?${query}`)
    yield page
    cursor = page.cursor
  } while (cursor)
}
