/** Connect sessions: one attempt of one person to connect one mailbox, from the app's request to its confirmation. */

import * as v from 'valibot'
import { accessSchema } from './channel-health.ts'
import type { Condition } from './expressions.ts'
import { PostroomError } from './faults.ts'
import { hashSecret, idLengthLimit, randomId, randomSecret } from './identifiers.ts'
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

const accessOfBoth = v.object({ imap: accessSchema, smtp: accessSchema })

/** What the verified sign-in brought; becomes a channel when the app confirms. */
const candidateSchema = v.object({
  channelId: v.string(),
  grantId: v.string(),
  identity: v.record(v.string(), v.string()),
  email: v.string(),
  displayName: v.nullable(v.string()),
  login: v.object({ imap: v.string(), smtp: v.string() }),
  clientId: v.string(),
  /** Names to try at each server. */
  candidates: v.object({ imap: v.array(v.string()), smtp: v.array(v.string()) }),
  /** What the probe found blocked; null while it has not run. */
  access: v.nullable(accessOfBoth),
})

const sessionSchema = v.object({
  id: v.string(),
  accountId: v.string(),
  provider: v.string(),
  returnUrl: v.nullable(v.string()),
  loginHint: v.nullable(v.string()),
  /** Set when a channel is to be reconnected. */
  channelId: v.nullable(v.string()),
  sharedMailbox: v.nullable(v.string()),
  fetchSince: v.nullable(v.string()),
  /** What is to be read; null for what is usual, or was set before. */
  folders: v.optional(v.nullable(v.array(v.string())), null),
  autoConfirm: v.boolean(),
  /** Sends one marked mail from the mailbox to itself before it counts as connected. */
  proveSendAs: v.optional(v.boolean(), false),
  state: v.picklist(sessionStates),
  createdAt: v.string(),
  expiresAtMs: v.number(),
  /** We keep hashes only: a read of the table must not let anybody take over a sign-in. */
  ticketHash: v.string(),
  cookieHash: v.nullable(v.string()),
  stateHash: v.nullable(v.string()),
  candidate: v.nullable(candidateSchema),
  fault: v.nullable(
    v.object({ code: v.string(), actor: v.string(), summary: v.string(), evidence: v.nullable(v.string()) }),
  ),
})

export type ConnectSession = v.InferOutput<typeof sessionSchema>
export type Candidate = v.InferOutput<typeof candidateSchema>

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
export const sessionDocumentSchema = v.object({
  ...v.pick(sessionSchema, ['id', 'accountId', 'provider', 'state', 'channelId', 'fault', 'createdAt'])
    .entries,
  expiresAt: v.string(),
})

export function presentSession(session: ConnectSession): v.InferOutput<typeof sessionDocumentSchema> {
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
