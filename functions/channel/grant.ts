/** Grants: what a mailbox owner's consent gave us, encrypted, in the Secrets table. */

import * as v from 'valibot'
import { PostroomError } from './faults.ts'
import type { Seal, SealContext } from './seal.ts'
import { integer } from './single-values.ts'
import { readItem, type Table } from './table.ts'
import type { TokenAnswer } from './token-endpoint.ts'

const grantSchema = v.object({
  accessToken: v.string(),
  refreshToken: v.string(),
  /** Epoch milliseconds after which the access token is refused. */
  expiresAtMs: v.number(),
  /** Epoch milliseconds from which a refresh is due. */
  refreshAtMs: v.number(),
  scope: v.nullable(v.string()),
  version: integer,
  leaseOwner: v.optional(v.string()),
  leaseUntilMs: v.optional(v.number()),
  ttl: v.optional(v.number()),
})

export type StoredGrant = v.InferOutput<typeof grantSchema>

/** Whose grant it is: binds the ciphertexts. */
export interface GrantOwner {
  grantId: string
  accountId: string
  channelId: string
}

/**
 * Refreshed ahead, at a random point of this part of a token's life: no mail waits for a refresh, and mailboxes
 * that were connected together do not refresh together for ever.
 */
const refreshFrom = 0.75
const refreshSpread = 0.15
/** A grant no channel has taken up by then is forgotten by DynamoDB itself. */
const unclaimedSeconds = 7 * 24 * 3600

const grantKey = (grantId: string) => ({ pk: `GRANT#${grantId}`, sk: 'GRANT' })

export interface Grants {
  /** Keeps a fresh consent under an id of its own, beside whatever the channel uses now. */
  create(owner: GrantOwner, answer: TokenAnswer & { refreshToken: string }): Promise<void>
  /** @throws PostroomError `secret_unreadable` if there is none */
  read(owner: GrantOwner): Promise<StoredGrant>
  open(owner: GrantOwner, grant: StoredGrant): Promise<{ accessToken: string; refreshToken: string }>
  /** For the many times where the refresh token, under a key of its own perhaps, is not needed. */
  openAccessToken(owner: GrantOwner, grant: StoredGrant): Promise<string>
  remove(owner: GrantOwner): Promise<void>
  /** The first use makes an unclaimed grant a lasting one. */
  claim(owner: GrantOwner): Promise<void>
  /** @returns false if somebody else holds the lease or has refreshed meanwhile */
  lease(owner: GrantOwner, lease: { version: number; holder: string; untilMs: number }): Promise<boolean>
  release(owner: GrantOwner, holder: string): Promise<void>
  /** Makes sure that what a refresh brings can be sealed: a rotated token must not wait for KMS. */
  prepareSave(): Promise<void>
  /**
   * Saves a refresh under the lease.
   * @param refreshed.refreshToken the one to use next: the answer's, or the old one where none came
   * @returns false if the lease was lost
   */
  save(
    owner: GrantOwner,
    refreshed: { answer: TokenAnswer; refreshToken: string; previous: StoredGrant; holder: string },
  ): Promise<boolean>
}

export interface GrantServices {
  secrets: Table
  seal: Seal
  now(): number
  /** From 0 up to 1: spreads refreshes. */
  random?(): number
}

export function openGrants({ secrets, seal, now, random = Math.random }: GrantServices): Grants {
  const context = (owner: GrantOwner, field: string): SealContext => ({
    accountId: owner.accountId,
    ownerId: owner.channelId,
    field,
  })

  const times = (expiresInMs: number) => ({
    expiresAtMs: now() + expiresInMs,
    refreshAtMs: now() + Math.floor(expiresInMs * (refreshFrom + refreshSpread * random())),
  })

  return {
    async create(owner, answer) {
      await secrets.put({
        ...grantKey(owner.grantId),
        ...times(answer.expiresInMs),
        accessToken: await seal.seal(answer.accessToken, context(owner, 'accessToken')),
        refreshToken: await seal.seal(answer.refreshToken, context(owner, 'refreshToken')),
        scope: answer.scope,
        version: 1,
        ttl: Math.floor(now() / 1000) + unclaimedSeconds,
      })
    },

    async read(owner) {
      const item = await secrets.get(grantKey(owner.grantId))
      if (!item) throw new PostroomError('secret_unreadable', { evidence: 'the grant is not stored' })
      return readItem(grantSchema, item)
    },

    async open(owner, grant) {
      const [accessToken, refreshToken] = await Promise.all([
        seal.open(grant.accessToken, context(owner, 'accessToken')),
        seal.open(grant.refreshToken, context(owner, 'refreshToken')),
      ])
      return { accessToken, refreshToken }
    },

    openAccessToken: (owner, grant) => seal.open(grant.accessToken, context(owner, 'accessToken')),

    async remove(owner) {
      await secrets.remove(grantKey(owner.grantId))
    },

    async claim(owner) {
      await secrets.update(grantKey(owner.grantId), { remove: ['ttl'] })
    },

    async lease(owner, { version, holder, untilMs }) {
      const taken = await secrets.update(
        grantKey(owner.grantId),
        { set: { leaseOwner: holder, leaseUntilMs: untilMs } },
        { equals: { version }, atMost: { leaseUntilMs: now() } },
      )
      return taken !== undefined
    },

    async release(owner, holder) {
      await secrets.update(
        grantKey(owner.grantId),
        { remove: ['leaseOwner', 'leaseUntilMs'] },
        { equals: { leaseOwner: holder } },
      )
    },

    prepareSave: () => seal.prepare(),

    async save(owner, { answer, refreshToken, previous, holder }) {
      const saved = await secrets.update(
        grantKey(owner.grantId),
        {
          set: {
            ...times(answer.expiresInMs),
            accessToken: await seal.seal(answer.accessToken, context(owner, 'accessToken')),
            // Sealed anew even where it is the old one: no secret stays under the key of a day long past.
            refreshToken: await seal.seal(refreshToken, context(owner, 'refreshToken')),
            scope: answer.scope ?? previous.scope,
            version: previous.version + 1,
          },
          remove: ['leaseOwner', 'leaseUntilMs'],
        },
        { equals: { version: previous.version, leaseOwner: holder } },
      )
      return saved !== undefined
    },
  }
}
