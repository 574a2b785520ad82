/**
 * URLs by which an app brings bytes to S3 and fetches them there itself: API Gateway takes 10 MB, Lambda takes and gives
 * back 6. Signing asks nobody; S3 lets through what the function that signed may do itself.
 */

import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { attachmentNamed } from './http.ts'

/** One HTTP request to be made as it stands here. Whoever holds it may make it, so it is for its app only. */
interface Transfer {
  method: 'PUT' | 'GET'
  url: string
  /** To be sent exactly so: they are signed. */
  headers: Record<string, string>
  /** Until then it may begin. ISO 8601. */
  expiresAt: string
}

export interface Presigned {
  /** S3 refuses a body of another length or type with 403. */
  upload(key: string, file: { contentType: string; sizeBytes: number }): Promise<Transfer>
  /** Comes as a download under this name: mail is hostile, and no browser may run it. */
  download(key: string, file: { filename: string; contentType: string }): Promise<Transfer>
}

/** Long enough to begin, even on a phone. What a function signs ends with its role's session at the latest, in hours. */
const lifeMs = 15 * 60_000

/** Adds no checksums of its own: it would sign that of an empty body. */
const newClient = () => new S3Client({ requestChecksumCalculation: 'WHEN_REQUIRED' })

/**
 * @param services.s3 must add no checksums, as `newClient` has it
 * @see https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
export function openPresigned(services: { s3?: S3Client; bucket: string; now(): number }): Presigned {
  const { s3 = newClient(), bucket, now } = services
  const signing = () => ({ expiresIn: lifeMs / 1000, signingDate: new Date(now()) })
  const expiresAt = () => new Date(now() + lifeMs).toISOString()

  return {
    async upload(key, { contentType, sizeBytes }) {
      const put = new PutObjectCommand({
        Bucket: bucket,
        Key: key,
        ContentType: contentType,
        ContentLength: sizeBytes,
      })
      const signableHeaders = new Set(['host', 'content-type', 'content-length'])
      const url = await getSignedUrl(s3, put, { ...signing(), signableHeaders })
      const headers = { 'content-type': contentType, 'content-length': String(sizeBytes) }
      return { method: 'PUT', url, headers, expiresAt: expiresAt() }
    },

    async download(key, { filename, contentType }) {
      const get = new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ResponseContentType: contentType,
        ResponseContentDisposition: attachmentNamed(filename),
      })
      return {
        method: 'GET',
        url: await getSignedUrl(s3, get, signing()),
        headers: {},
        expiresAt: expiresAt(),
      }
    },
  }
}
