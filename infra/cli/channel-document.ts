/** Channels as the API answers them, as far as the commands look. */

import * as z from 'zod'
import type { Api } from './api.ts'

export const faultSchema = z.object({
  code: z.string(),
  actor: z.string(),
  summary: z.string(),
  evidence: z.string().nullish(),
})

const loginSchema = z.object({ imap: z.string(), smtp: z.string() })
const accessSchema = z.object({ state: z.string(), fault: faultSchema.nullable() })

export const channelSchema = z.looseObject({
  id: z.string(),
  accountId: z.string(),
  provider: z.string(),
  email: z.string(),
  login: loginSchema,
  access: z.object({ imap: accessSchema, smtp: accessSchema }),
  auth: z.object({ state: z.string(), fault: faultSchema.nullable(), since: z.string() }),
  connection: z.object({
    state: z.string(),
    fault: faultSchema.nullish(),
    since: z.string().nullish(),
    until: z.string().nullish(),
  }),
  /** Newest last. */
  history: z
    .array(
      z.object({
        at: z.string(),
        axis: z.string(),
        protocol: z.string().nullable(),
        from: z.string(),
        to: z.string(),
        reason: z.string(),
        evidence: z.string().nullable(),
      }),
    )
    .default([]),
  connectedAt: z.string(),
  folders: z.array(z.string()).default([]),
  missingFolders: z.array(z.string()).default([]),
  folderFault: faultSchema.nullable().default(null),
  foldersLookedAt: z.string().nullable().default(null),
  lastFetchedAt: z.string().nullable(),
  disconnectedAt: z.string().nullable(),
})
export type Channel = z.infer<typeof channelSchema>

const attemptSchema = z.object({ login: z.string(), accepted: z.boolean(), answer: z.string() })
export const recheckSchema = z.looseObject({
  before: loginSchema,
  after: loginSchema,
  imap: z.array(attemptSchema),
  smtp: z.array(attemptSchema),
})

const pageSchema = z.object({ channels: z.array(channelSchema), cursor: z.string().nullable() })

export const channelPath = (id: string) => `/v1/channels/${encodeURIComponent(id)}`

/** Page by page, so that a million channels need no memory; each with the cursor that continues after its page. */
export async function* allChannels(
  api: Api,
  { account, after }: { account: string | undefined; after: string | undefined },
): AsyncGenerator<{ channels: Channel[]; cursor: string | null }> {
  let cursor: string | undefined = after
  do {
    const page: z.infer<typeof pageSchema> = await api.call(pageSchema, 'GET', '/v1/channels', {
      query: { limit: '100', accountId: account, cursor },
    })
    yield page
    cursor = page.cursor ?? undefined
  } while (cursor)
}
