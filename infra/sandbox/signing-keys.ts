/** Makes once and keeps the RSA keys by which the sandbox's identity providers sign, and changes them on request. */

import { randomUUID } from 'node:crypto'
import { chmod, readFile, rename, writeFile } from 'node:fs/promises'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import { type Persona, tenants } from './personas.ts'

const privateKeySchema = v.looseObject({
  kty: v.literal('RSA'),
  kid: v.string(),
  alg: v.literal('RS256'),
  use: v.literal('sig'),
  n: v.string(),
  e: v.string(),
  d: v.string(),
})
const keyFileSchema = v.object({
  microsoft: privateKeySchema,
  google: privateKeySchema,
  /** Missing in a file from before there were personal accounts. */
  consumers: v.optional(privateKeySchema),
  /** Keys that a rotation replaced. */
  retired: v.optional(v.array(privateKeySchema), []),
})

/** A private RSA key in JWK form, with `kid`, `alg` and `use`. */
export type SigningKey = v.InferOutput<typeof privateKeySchema>

/** Who has a key: Microsoft one for work accounts and another for personal ones, and Google. */
export type KeyOwner = 'microsoft' | 'consumers' | 'google'

/** The keys. */
export interface KeyRing {
  /** The key that signs now, the only one of its owner that the JWKS shows. */
  current(owner: KeyOwner): SigningKey
  /** Every key that signs now or did. */
  all(): SigningKey[]
  /** Replaces an owner's key by a fresh one, on disk when it resolves. */
  rotate(owner: KeyOwner): Promise<void>
}

/** Whose key signs for a persona. */
export function keyOwnerOf({ provider, tenantId }: Persona): KeyOwner {
  if (provider === 'google') return 'google'
  return tenantId === tenants.consumers ? 'consumers' : 'microsoft'
}

/**
 * Reads the keys from the file, or makes the file (mode 0600).
 *
 * @throws {Error} naming the file, if it is there but is not what this function writes
 */
export async function openKeyRing(file: string): Promise<KeyRing> {
  const kept = await readKeys(file)
  const keys = {
    microsoft: kept?.microsoft ?? (await makeKey()),
    consumers: kept?.consumers ?? (await makeKey()),
    google: kept?.google ?? (await makeKey()),
    retired: kept?.retired ?? [],
  }

  async function save(): Promise<void> {
    await writeFile(`${file}.new`, JSON.stringify(keys), { mode: 0o600 })
    await chmod(`${file}.new`, 0o600)
    await rename(`${file}.new`, file)
  }

  if (!kept?.consumers) await save()
  return {
    current: owner => keys[owner],
    all: () => [keys.microsoft, keys.consumers, keys.google, ...keys.retired],
    rotate: async owner => {
      const fresh = await makeKey()
      keys.retired.push(keys[owner])
      keys[owner] = fresh
      await save()
    },
  }
}

/** The half of a key that everybody may see, as a JWKS entry. */
export function publicKey({ kty, kid, alg, use, n, e }: SigningKey): JWK & { kid: string } {
  return { kty, kid, alg, use, n, e }
}

/** A key that no JWKS shows. */
export async function makeKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return parse(privateKeySchema, {
    ...(await exportJWK(privateKey)),
    kid: randomUUID(),
    alg: 'RS256',
    use: 'sig',
  })
}

async function readKeys(file: string): Promise<v.InferOutput<typeof keyFileSchema> | undefined> {
  const text = await readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  try {
    return parse(keyFileSchema, JSON.parse(text))
  } catch (cause) {
    throw new Error(
      `Cannot read the sandbox's signing keys: ${file} is damaged: delete it and sign in again`,
      { cause },
    )
  }
}
