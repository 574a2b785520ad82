/** The files of a message: written into its document, or uploaded to S3 before, and then this account's own (I6). */

import type { Channel } from './channels.ts'
import { PostroomError } from './faults.ts'
import { mailKeys } from './mail-keys.ts'
import type { MailStore } from './mail-store.ts'
import type { MessageDocument } from './message-document.ts'

export interface AttachedFile {
  filename: string
  contentType: string
  /** By which the HTML shows it; null for a file that is attached. */
  contentId: string | null
  bytes: Uint8Array
}

/** What is not of this form is no key of ours, and no key is made of it. */
export const uploadIdPattern = /^up_[a-z2-7]{26}$/

/** RFC 2045 6.8: four characters for three bytes, 76 to a line. */
function encodedBytes(sizeBytes: number): number {
  const characters = Math.ceil(sizeBytes / 3) * 4
  return characters + 2 * Math.ceil(characters / 76)
}

/** The largest file that a message of this many bytes has room for. */
export function fileBytesIn(messageBytes: number): number {
  return Math.floor(messageBytes / encodedBytes(57)) * 57
}

/**
 * Nothing is read before all sizes are known and fit together: what is held is never more than a message may be.
 * @throws PostroomError `request_invalid` naming the upload that is not there, `message_too_large`
 */
export async function attachedFiles(
  { attachments }: MessageDocument,
  { channel, mail, limitBytes }: { channel: Channel; mail: MailStore; limitBytes: number },
): Promise<AttachedFile[]> {
  const keyOf = (uploadId: string) => mailKeys.upload(channel.accountId, uploadId)
  const sizes = await Promise.all(
    attachments.map(async ({ content, uploadId }, index) => {
      if (uploadId === undefined) return Buffer.byteLength(content ?? '', 'base64')
      return (await mail.size(keyOf(uploadId))) ?? absent(uploadId, index)
    }),
  )
  const total = sizes.reduce((sum, sizeBytes) => sum + encodedBytes(sizeBytes), 0)
  if (total > limitBytes) {
    throw new PostroomError('message_too_large', {
      errors: [
        { field: 'attachments', rule: `must be at most ${limitBytes} bytes once encoded`, found: `${total}` },
      ],
    })
  }
  return Promise.all(
    attachments.map(async ({ filename, contentType, contentId = null, content, uploadId }, index) => {
      const bytes =
        uploadId === undefined
          ? Buffer.from(content ?? '', 'base64')
          : ((await mail.read(keyOf(uploadId))) ?? absent(uploadId, index))
      return { filename, contentType, contentId, bytes }
    }),
  )
}

/** An upload of another account is as absent as one that never arrived. */
function absent(uploadId: string, index: number): never {
  throw new PostroomError('request_invalid', {
    errors: [
      {
        field: `attachments.${index}.uploadId`,
        rule: 'must name an upload of this account whose bytes arrived within the last day',
        found: uploadId,
      },
    ],
  })
}
