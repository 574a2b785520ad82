/** The only file that talks to S3: raw mail, frozen replies, and the readable form of both. */

import { Readable } from 'node:stream'
import { GetObjectCommand, NoSuchKey, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'

export interface MailStore {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** @returns undefined if there is no such object */
  read(key: string): Promise<Uint8Array | undefined>
  /** The bytes as they come, for mails too large to hold. @returns undefined if there is no such object */
  stream(key: string): Promise<Readable | undefined>
}

export function openMailStore({ s3, bucket }: { s3: S3Client; bucket: string }): MailStore {
  async function open(key: string) {
    try {
      return (await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))).Body
    } catch (error) {
      if (error instanceof NoSuchKey) return undefined
      throw error
    }
  }

  return {
    async put(key, bytes, contentType) {
      await s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: bytes, ContentType: contentType }))
    },
    async read(key) {
      return (await open(key))?.transformToByteArray()
    },
    async stream(key) {
      const body = await open(key)
      return body instanceof Readable ? body : undefined
    },
  }
}

/** Every object of one account lies under its own prefix. Ids are safe in keys. */
const prefix = (accountId: string, direction: string, messageId: string) =>
  `accounts/${encodeURIComponent(accountId)}/${direction}/${messageId}`

export const mailKeys = {
  /** `version` is one attempt to accept: of two that race, neither overwrites what the other froze. */
  outbound: (accountId: string, messageId: string, version: string) =>
    keysUnder(`${prefix(accountId, 'outbound', messageId)}/${version}`),
  /** A mail fetched twice has the same bytes: writing them again changes nothing. */
  inbound: (accountId: string, messageId: string) => keysUnder(prefix(accountId, 'inbound', messageId)),
}

function keysUnder(folder: string) {
  return {
    raw: `${folder}/raw.eml`,
    content: `${folder}/content.json`,
    attachment: (index: number) => `${folder}/attachments/${index}`,
  }
}
