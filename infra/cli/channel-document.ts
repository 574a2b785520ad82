/** Channels as the API answers them, as far as the commands look. */

import * as v from 'valibot'
import type { Api } from './api.ts'

export const faultSchema = v.object({
  code: v.string(),
  actor: v.string(),
  summary: v.string(),
  evidence: v.nullish(v.string()),
})

const loginSchema = v.object({ imap: v.string(), smtp: v.string() })
const accessSchema = v.object({ state: v.string(), fault: v.nullable(faultSchema) })

export const channelSchema = v.looseObject({
  id: v.string(),
  accountId: v.string(),
  provider: v.string(),
  email: v.string(),
  login: loginSchema,
  access: v.object({ imap: accessSchema, smtp: accessSchema }),
  auth: v.object({ state: v.string(), fault: v.nullable(faultSchema), since: v.string() }),
  connection: v.object({
    state: v.string(),
    fault: v.nullish(faultSchema),
    since: v.nullish(v.string()),
    until: v.nullish(v.string()),
  }),
  /** Newest last. */
  history: v.optional(
    v.array(
      v.object({
        at: v.string(),
        axis: v.string(),
        protocol: v.nullable(v.string()),
        from: v.string(),
        to: v.string(),
        reason: v.string(),
        evidence: v.nullable(v.string()),
      }),
    ),
    [],
  ),
  connectedAt: v.string(),
  folders: v.optional(v.array(v.string()), []),
  missingFolders: v.optional(v.array(v.string()), []),
  folderFault: v.optional(v.nullable(faultSchema), null),
  foldersLookedAt: v.optional(v.nullable(v.string()), null),
  lastFetchedAt: v.nullable(v.string()),
  disconnectedAt: v.nullable(v.string()),
})
export type Channel = v.InferOutput<typeof channelSchema>

const attemptSchema = v.object({ login: v.string(), accepted: v.boolean(), answer: v.string() })
export const recheckSchema = v.looseObject({
  before: loginSchema,
  after: loginSchema,
  imap: v.array(attemptSchema),
  smtp: v.array(attemptSchema),
})

const pageSchema = v.object({ channels: v.array(channelSchema), cursor: v.nullable(v.string()) })

export const channelPath = (id: string) => `/v1/channels/${encodeURIComponent(id)}`

/** Page by page, so that a million channels need no memory; each with the cursor that continues after its page. */
export async function* allChannels(
  api: Api,
  { account, after }: { account: string | undefined; after: string | undefined },
): AsyncGenerator<{ channels: Channel[]; cursor: string | null }> {
  let cursor: string | undefined = after
  do {
    const page: v.InferOutput<typeof pageSchema> = await api.call(pageSchema, 'GET', '/v1/channels', {
      query: { limit: '100', accountId: account, cursor },
    })
    yield page
    cursor = page.cursor ?? undefined
  } while (cursor)
}
