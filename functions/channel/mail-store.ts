/** The only file that talks to S3; presigned.ts lets apps do so. Raw mail, frozen replies, the readable form of both, uploads. */

import { Readable } from 'node:stream'
import {
  GetObjectCommand,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  NoSuchKey,
  NotFound,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3'

export interface MailStore {
  put(key: string, bytes: Uint8Array, contentType: string): Promise<void>
  /** @returns undefined if there is no such object */
  read(key: string): Promise<Uint8Array | undefined>
  /** In bytes. @returns undefined if there is no such object */
  size(key: string): Promise<number | undefined>
  /** The bytes as they come, for mails too large to hold. @returns undefined if there is no such object */
  stream(key: string): Promise<Readable | undefined>
}

export function openMailStore(services: { s3?: S3Client; bucket: string }): MailStore {
  const { s3 = new S3Client({}), bucket } = services

  async function open(key: string) {
    try {
      return await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }))
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
      const object = await open(key)
      return object && whole(object)
    },
    async size(key) {
      try {
        return (await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).ContentLength
      } catch (error) {
        if (error instanceof NotFound) return undefined
        throw error
      }
    },
    async stream(key) {
      const body = (await open(key))?.Body
      return body instanceof Readable ? body : undefined
    },
  }
}

/** Into memory of the length that S3 announces: gathering the pieces first would hold a large mail twice. */
async function whole({ Body, ContentLength = 0 }: GetObjectCommandOutput): Promise<Uint8Array> {
  const bytes = new Uint8Array(ContentLength)
  if (!(Body instanceof Readable)) return bytes
  let length = 0
  for await (const piece of Body) {
    bytes.set(piece, length)
    length += piece.byteLength
  }
  return bytes
}
