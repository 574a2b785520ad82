/** What KMS does with data, on this machine: AES-256-GCM, bound to the key's id and the encryption context. */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'

const ivBytes = 12
const tagBytes = 16

export interface SealBinding {
  keyId: string
  /** The right context must be given again to open; its order does not matter. */
  context: Record<string, string>
}

/**
 * Seals data. The bytes: length of the key id (1), key id, IV (12), tag (16), cipher text. Like KMS's, they tell which
 * key they belong to, so that opening needs no key id.
 */
export function seal(masterKey: Buffer, plain: Uint8Array, binding: SealBinding): Buffer {
  const iv = randomBytes(ivBytes)
  const keyId = Buffer.from(binding.keyId)
  const cipher = createCipheriv('aes-256-gcm', masterKey, iv, { authTagLength: tagBytes })
  cipher.setAAD(additionalData(binding))
  const sealed = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([Buffer.of(keyId.length), keyId, iv, cipher.getAuthTag(), sealed])
}

/** The id of the key that sealed the bytes; undefined if they are too short to be sealed ones. */
export function sealingKeyId(sealed: Buffer): string | undefined {
  const length = sealed[0]
  if (length === undefined || sealed.length < 1 + length + ivBytes + tagBytes) return undefined
  return sealed.toString('utf8', 1, 1 + length)
}

/** @returns undefined if the bytes were changed, or sealed with another key or context */
export function unseal(
  masterKey: Buffer,
  sealed: Buffer,
  context: Record<string, string>,
): Buffer | undefined {
  const keyId = sealingKeyId(sealed)
  if (keyId === undefined) return undefined
  const ivStart = 1 + Buffer.byteLength(keyId)
  const tagStart = ivStart + ivBytes
  const decipher = createDecipheriv('aes-256-gcm', masterKey, sealed.subarray(ivStart, tagStart), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(additionalData({ keyId, context }))
  decipher.setAuthTag(sealed.subarray(tagStart, tagStart + tagBytes))
  try {
    return Buffer.concat([decipher.update(sealed.subarray(tagStart + tagBytes)), decipher.final()])
  } catch {
    return undefined
  }
}

function additionalData({ keyId, context }: SealBinding): Buffer {
  const pairs = Object.entries(context).sort(([a], [b]) => (a < b ? -1 : 1))
  return Buffer.from(JSON.stringify([keyId, pairs]))
}
