/** Connect sessions: one attempt of one person to connect one mailbox, from the app's request to its confirmation. */

import * as z from 'zod'
import { accessSchema } from './channel-health.ts'
import type { Condition } from './expressions.ts'
import { PostroomError } from './faults.ts'
import { hashSecret, randomId, randomSecret } from './identifiers.ts'
import { type Item, readItem, type Table } from './table.ts'

const sessionStates = [
  'open',
  'consenting',
  'checking',
  'awaiting_confirmation',
  'connected',
  'failed',
  'expired',
] as const

/** How long a link may be followed, and a sign-in may take. */
export const sessionLifeMs = 10 * 60_000
/** How long the app has to confirm. */
export const confirmationLifeMs = 15 * 60_000
/** Finished sessions can be asked about this long. */
const retentionMs = 7 * 24 * 3600_000

const accessOfBoth = z.object({ imap: accessSchema, smtp: accessSchema })

/** What the verified sign-in brought; becomes a channel when the app confirms. */
const candidateSchema = z.object({
  channelId: z.string(),
  grantId: z.string(),
  identity: z.record(z.string(), z.string()),
  email: z.string(),
  displayName: z.string().nullable(),
  login: z.object({ imap: z.string(), smtp: z.string() }),
  clientId: z.string(),
  /** Names to try at each server. */
  candidates: z.object({ imap: z.array(z.string()), smtp: z.array(z.string()) }),
  /** What the probe found blocked; null while it has not run. */
  access: accessOfBoth.nullable(),
})

const sessionSchema = z.object({
  id: z.string(),
  accountId: z.string(),
  provider: z.string(),
  returnUrl: z.string().nullable(),
  loginHint: z.string().nullable(),
  /** Set when a channel is to be reconnected. */
  channelId: z.string().nullable(),
  sharedMailbox: z.string().nullable(),
  fetchSince: z.string().nullable(),
  /** What is to be read; null for what is usual, or was set before. */
  folders: z.array(z.string()).nullable().default(null),
  autoConfirm: z.boolean(),
  /** Sends one marked mail from the mailbox to itself before it counts as connected. */
  proveSendAs: z.boolean().default(false),
  state: z.enum(sessionStates),
  createdAt: z.string(),
  expiresAtMs: z.number(),
  /** We keep hashes only: a read of the table must not let anybody take over a sign-in. */
  ticketHash: z.string(),
  cookieHash: z.string().nullable(),
  stateHash: z.string().nullable(),
  candidate: candidateSchema.nullable(),
  fault: z
    .object({ code: z.string(), actor: z.string(), summary: z.string(), evidence: z.string().nullable() })
    .nullable(),
})

export type ConnectSession = z.infer<typeof sessionSchema>
export type Candidate = z.infer<typeof candidateSchema>

/** No id of ours is longer, and DynamoDB takes no key of any length. */
const idLengthLimit = 128

const sessionKey = (id: string) => ({ pk: `SESSION#${id}`, sk: 'SESSION' })

export interface ConnectSessions {
  create(session: ConnectSession): Promise<void>
  /** @returns undefined for an unknown id; a session past its time reads as `expired` */
  find(id: string): Promise<ConnectSession | undefined>
  /** @throws PostroomError `session_not_found` */
  get(id: string): Promise<ConnectSession>
  /** Changes the session only out of one of these states. @returns undefined if it was in none of them */
  move(
    id: string,
    from: { states: ConnectSession['state'][]; equals?: Condition['equals'] },
    change: Partial<ConnectSession>,
  ): Promise<ConnectSession | undefined>
  /** Sessions whose grant nobody confirmed in time; found through a sparse index. */
  unconfirmed(limit: number): Promise<ConnectSession[]>
}

const unconfirmedPartition = 'DUE#SESSIONS'

export function openConnectSessions({ main, now }: { main: Table; now(): number }): ConnectSessions {
  function read(item: Item): ConnectSession {
    const session = readItem(sessionSchema, item)
    const isOver = ['connected', 'failed', 'expired'].includes(session.state)
    return !isOver && session.expiresAtMs <= now() ? { ...session, state: 'expired' } : session
  }

  return {
    async create(session) {
      const ttl = Math.floor((now() + retentionMs) / 1000)
      await main.put({ ...sessionKey(session.id), ...session, ttl }, { exists: false })
    },

    async find(id) {
      if (id.length > idLengthLimit) return undefined
      const item = await main.get(sessionKey(id))
      return item && read(item)
    },

    async get(id) {
      const session = await this.find(id)
      if (session) return session
      throw new PostroomError('session_not_found', {
        errors: [{ field: 'id', rule: 'must name a connect session', found: id.slice(0, 80) }],
      })
    },

    async move(id, { states, equals }, change) {
      const waits = change.state === 'awaiting_confirmation' && change.expiresAtMs !== undefined
      const due = waits && { duePk: unconfirmedPartition, dueSk: dueKey(change.expiresAtMs ?? 0, id) }
      const item = await main.update(
        sessionKey(id),
        { set: { ...change, ...due }, ...(change.state && !waits && { remove: ['duePk', 'dueSk'] }) },
        { oneOf: { state: states }, equals },
      )
      return item && read(item)
    },

    async unconfirmed(limit) {
      const keys = await main.due(unconfirmedPartition, dueKey(now(), '\uffff'), limit)
      const items = await main.getMany(keys)
      return items.filter(item => item !== undefined).map(item => readItem(sessionSchema, item))
    },
  }
}

type Wanted = Pick<ConnectSession, 'accountId' | 'provider'> & Partial<ConnectSession>

/** @returns a session nobody has begun yet, to be stored, and the secret of its link, which is not */
export function newSession(wanted: Wanted, nowMs: number): { session: ConnectSession; ticket: string } {
  const id = randomId('cs')
  const secret = randomSecret()
  const session: ConnectSession = {
    returnUrl: null,
    loginHint: null,
    channelId: null,
    sharedMailbox: null,
    fetchSince: null,
    folders: null,
    autoConfirm: false,
    proveSendAs: false,
    ...wanted,
    id,
    state: 'open',
    createdAt: new Date(nowMs).toISOString(),
    expiresAtMs: nowMs + sessionLifeMs,
    ticketHash: hashSecret(secret),
    cookieHash: null,
    stateHash: null,
    candidate: null,
    fault: null,
  }
  return { session, ticket: `${id}.${secret}` }
}

const dueKey = (ms: number, id: string) => `${new Date(ms).toISOString()}#${id}`

/** What the app sees of it. */
export const sessionDocumentSchema = sessionSchema
  .pick({
    id: true,
    accountId: true,
    provider: true,
    state: true,
    channelId: true,
    fault: true,
    createdAt: true,
  })
  .extend({ expiresAt: z.string() })

export function presentSession(session: ConnectSession): z.output<typeof sessionDocumentSchema> {
  return {
    id: session.id,
    accountId: session.accountId,
    provider: session.provider,
    state: session.state,
    channelId: session.candidate?.channelId ?? session.channelId,
    fault: session.fault,
    createdAt: session.createdAt,
    expiresAt: new Date(session.expiresAtMs).toISOString(),
  }
}
