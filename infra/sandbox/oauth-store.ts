/** Keeps what the identity providers issue (codes, grants, refresh tokens, opaque access tokens) in one SQLite file. */
import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Adapter, StoredPayload } from 'oidc-provider'

/** The store of both providers; rows of a provider are told apart by its name. */
export interface OauthStore {
  /** The storage that oidc-provider asks for, one per provider. Synchronous inside: a returned promise is on disk. */
  adapter(provider: string): (model: string) => Adapter
  /** The account that holds the grant a code or a refresh token belongs to, whatever its state. */
  accountOf(provider: string, row: { model: string; id: string }): string | undefined
  /** The newest living grant of an account, undefined before its first consent and after a revocation. */
  grantOf(provider: string, accountId: string): string | undefined
  /** Forgets a grant and every token issued under it. */
  revokeGrant(provider: string, grantId: string): void
  close(): void
}

/**
 * Opens the store.
 *
 * @param file is created where it is missing, readable by the owner only
 * @throws {Error} naming the file, if it is damaged
 */
export function openOauthStore(file: string): OauthStore {
  const database = open(file)
  const find = database.prepare('SELECT payload FROM issued WHERE provider = ? AND model = ? AND id = ?')
  const findByUid = database.prepare(
    'SELECT payload FROM issued WHERE provider = ? AND model = ? AND uid = ? ORDER BY expires_at DESC LIMIT 1',
  )
  const findGrant = database.prepare(
    "SELECT id FROM issued WHERE provider = ? AND model = 'Grant' AND account_id = ? ORDER BY rowid DESC LIMIT 1",
  )
  const put = database.prepare(
    'INSERT INTO issued (provider, model, id, uid, grant_id, account_id, expires_at, payload) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (provider, model, id) DO UPDATE SET uid = excluded.uid, grant_id = excluded.grant_id, ' +
      'account_id = excluded.account_id, expires_at = excluded.expires_at, payload = excluded.payload',
  )
  const remove = database.prepare('DELETE FROM issued WHERE provider = ? AND model = ? AND id = ?')
  const removeGrant = database.prepare('DELETE FROM issued WHERE provider = ? AND grant_id = ?')

  function read(provider: string, model: string, id: string): StoredPayload | undefined {
    const row = find.get(provider, model, id)
    return row === undefined ? undefined : payloadOf(row)
  }

  function adapterOf(provider: string, model: string): Adapter {
    return {
      upsert: async (id, payload, expiresInSeconds) => {
        const expiresAt =
          expiresInSeconds === undefined ? null : Math.floor(Date.now() / 1000) + expiresInSeconds
        const { uid = null, grantId = null, accountId = null } = payload
        put.run(provider, model, id, uid, grantId, accountId, expiresAt, JSON.stringify(payload))
      },
      find: async id => read(provider, model, id),
      findByUid: async uid => {
        const row = findByUid.get(provider, model, uid)
        return row === undefined ? undefined : payloadOf(row)
      },
      findByUserCode: async () => undefined,
      consume: async id => {
        database
          .prepare(
            "UPDATE issued SET payload = json_set(payload, '$.consumed', ?) WHERE provider = ? AND model = ? AND id = ?",
          )
          .run(Math.floor(Date.now() / 1000), provider, model, id)
      },
      destroy: async id => {
        remove.run(provider, model, id)
      },
      revokeByGrantId: async grantId => {
        removeGrant.run(provider, grantId)
      },
    }
  }

  return {
    adapter: provider => model => adapterOf(provider, model),
    accountOf: (provider, row) => read(provider, row.model, row.id)?.accountId,
    grantOf: (provider, accountId) => {
      const id = findGrant.get(provider, accountId)?.id
      return typeof id === 'string' ? id : undefined
    },
    revokeGrant: (provider, grantId) => {
      removeGrant.run(provider, grantId)
      remove.run(provider, 'Grant', grantId)
    },
    close: () => database.close(),
  }
}

function open(file: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(file)
    chmodSync(file, 0o600)
    // FULL: a token that a client was given must still be known after a power cut.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL')
    database.exec(
      'CREATE TABLE IF NOT EXISTS issued (provider TEXT NOT NULL, model TEXT NOT NULL, id TEXT NOT NULL, uid TEXT, ' +
        'grant_id TEXT, account_id TEXT, expires_at INTEGER, payload TEXT NOT NULL, PRIMARY KEY (provider, model, id)); ' +
        'CREATE INDEX IF NOT EXISTS issued_by_grant ON issued (provider, grant_id)',
    )
    database.prepare('DELETE FROM issued WHERE expires_at < ?').run(Math.floor(Date.now() / 1000))
    return database
  } catch (cause) {
    database?.close()
    throw new Error(`Cannot read the sandbox's tokens: ${file} is damaged: delete it and consent again`, {
      cause,
    })
  }
}

function payloadOf(row: Record<string, unknown>): StoredPayload {
  return JSON.parse(String(row.payload))
}
