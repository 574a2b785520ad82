/** Deterministic and random identifiers. */

import { createHash, randomBytes } from 'node:crypto'

/** No id of ours is longer, and DynamoDB takes no key of any length. */
export const idLengthLimit = 128

/** RFC 4648 base32 letters, lower case: safe in URLs, S3 keys and Message-IDs. */
const letters = 'abcdefghijklmnopqrstuvwxyz234567'

function base32(bytes: Uint8Array, length: number): string {
  let bits = 0
  let value = 0
  let text = ''
  for (const byte of bytes) {
    value = (value << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += letters[(value >>> bits) & 31]
    }
    value &= (1 << bits) - 1
  }
  return text.slice(0, length)
}

/** 26 letters are 130 bits: no two things ever share an id by chance. */
const idLetters = 26

/**
 * The same parts always give the same id, so that whatever happens twice is recognised as the same thing.
 * Each part goes in with its length: ("ab","c") and ("a","bc") differ.
 */
export function derivedId(prefix: string, ...parts: (string | number)[]): string {
  const hash = createHash('sha256')
  for (const part of parts) {
    const text = String(part)
    hash.update(`${Buffer.byteLength(text)}:${text},`)
  }
  return `${prefix}_${base32(hash.digest(), idLetters)}`
}

export function randomId(prefix: string): string {
  return `${prefix}_${base32(randomBytes(20), idLetters)}`
}

/** 256 random bits for a URL, a cookie, a state or a nonce. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What we store of a secret that somebody else must bring back. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url')
}

/** Spreads keys evenly over `count` shards. */
export function shardOf(key: string, count: number): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0) % count
}

/**
 * Mixes lists, each in its own order and spread evenly over the whole: what lies in many shards, not one after the other.
 * Turns alone would leave the end to the longest list.
 */
export function mixEvenly<T>(lists: T[][]): T[] {
  const placed = lists.flatMap(list => list.map((item, place) => ({ item, at: (place + 0.5) / list.length })))
  return placed.sort((a, b) => a.at - b.at).map(({ item }) => item)
}
