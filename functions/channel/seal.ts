/** Encrypts secrets at rest: AES-256-GCM under daily data keys that KMS wraps. The only file that talks to KMS. */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms'
import * as v from 'valibot'
import { PostroomError } from './faults.ts'
import { readItem, type Table } from './table.ts'

/** Ties a ciphertext to its place: moved to another channel or field, it does not open. */
export interface SealContext {
  accountId: string
  /** The channel or the connect session it belongs to. */
  ownerId: string
  field: string
}

export interface Seal {
  /** Makes sure that sealing will not fail for want of a key: to be called before what must not be lost is obtained. */
  prepare(): Promise<void>
  seal(secret: string, context: SealContext): Promise<string>
  /** @throws PostroomError `secret_unreadable` */
  open(sealed: string, context: SealContext): Promise<string>
}

/** A plain data key lives in memory no longer than this. */
const cacheMs = 15 * 60_000
/** NIST SP 800-38D 8.2: 96 random bits; one key makes far fewer than 2^32 of them in its day. */
const ivBytes = 12
const tagBytes = 16
const version = 'v1'

const wrappedKeySchema = v.object({ wrapped: v.instance(Uint8Array) })

export interface SealServices {
  kms?: KMSClient
  keyArn: string
  secrets: Table
  now(): number
}

export function openSeal({ kms = new KMSClient({}), keyArn, secrets, now }: SealServices): Seal {
  const cache = new Map<string, { key: Promise<Buffer>; untilMs: number }>()

  const itemKey = (day: string) => ({ pk: `DATA_KEY#${day}`, sk: 'DATA_KEY' })
  /** KMS authenticates it; CloudTrail shows it. It holds nothing secret. */
  const kmsContext = (day: string) => ({ app: 'postroom', day })

  async function unwrap(day: string, wrapped: Uint8Array): Promise<Buffer> {
    const answer = await kms.send(
      new DecryptCommand({ KeyId: keyArn, CiphertextBlob: wrapped, EncryptionContext: kmsContext(day) }),
    )
    if (!answer.Plaintext) throw new PostroomError('secret_unreadable', { evidence: 'KMS gave no key' })
    return Buffer.from(answer.Plaintext)
  }

  async function load(day: string, make: boolean): Promise<Buffer> {
    const stored = await secrets.get(itemKey(day))
    if (stored) return unwrap(day, readItem(wrappedKeySchema, stored).wrapped)
    if (!make) throw new PostroomError('secret_unreadable', { evidence: `no data key of ${day}` })
    const fresh = await kms.send(
      new GenerateDataKeyCommand({ KeyId: keyArn, KeySpec: 'AES_256', EncryptionContext: kmsContext(day) }),
    )
    if (!fresh.Plaintext || !fresh.CiphertextBlob) {
      throw new PostroomError('secret_unreadable', { evidence: 'KMS gave no key' })
    }
    // Of two functions that make the day's first key, one wins; the other uses the winner's.
    const won = await secrets.put({ ...itemKey(day), wrapped: fresh.CiphertextBlob }, { exists: false })
    return won ? Buffer.from(fresh.Plaintext) : load(day, false)
  }

  function dataKey(day: string, make: boolean): Promise<Buffer> {
    const known = cache.get(day)
    if (known && known.untilMs > now()) return known.key
    for (const [other, { untilMs }] of cache) if (untilMs <= now()) cache.delete(other)
    const key = load(day, make)
    cache.set(day, { key, untilMs: now() + cacheMs })
    key.catch(() => cache.delete(day))
    return key
  }

  const today = () => new Date(now()).toISOString().slice(0, 10)

  return {
    async prepare() {
      await dataKey(today(), true)
    },

    async seal(secret, context) {
      const day = today()
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', await dataKey(day, true), iv).setAAD(boundTo(context))
      const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
      return [version, day, iv.toString('base64url'), sealed.toString('base64url')].join('.')
    },

    async open(sealed, context) {
      const [format, day, iv, body] = sealed.split('.')
      if (format !== version || !day || !iv || !body) {
        throw new PostroomError('secret_unreadable', { evidence: 'unknown format' })
      }
      const key = await dataKey(day, false)
      const bytes = Buffer.from(body, 'base64url')
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'))
          .setAAD(boundTo(context))
          .setAuthTag(bytes.subarray(-tagBytes))
        return Buffer.concat([decipher.update(bytes.subarray(0, -tagBytes)), decipher.final()]).toString(
          'utf8',
        )
      } catch (cause) {
        throw new PostroomError('secret_unreadable', { cause, evidence: `field ${context.field}` })
      }
    },
  }
}

function boundTo({ accountId, ownerId, field }: SealContext): Buffer {
  return Buffer.from(JSON.stringify([accountId, ownerId, field, version]))
}
