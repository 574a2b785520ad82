/** The message an app hands us, by HTTP or by SQS: its fields and their rules, checked before any library sees them. */

import * as z from 'zod'
import { uploadIdPattern } from './attached-files.ts'
import { addressSchema } from './mail-address.ts'

/** CR, LF, NUL and the rest of the control characters end headers early. */
const noControls = /^\P{Cc}*$/u
/** RFC 5322 2.1.1: a line is at most 998 octets; this leaves room for the header's name where nothing can be folded. */
const headerValueLimit = 900
const recipientLimit = 50
const attachmentLimit = 100
/** Some servers refuse headers that are longer in all than 16 or 32 kB. */
const headerLimit = 30

const headerText = z
  .string()
  .max(headerValueLimit, { message: `must be at most ${headerValueLimit} characters` })
  .regex(noControls, { message: 'must not hold control characters' })

const address = z.strictObject({
  address: addressSchema,
  /** Null is none: an address out of a message of ours can be answered as it is. */
  name: headerText.nullish().transform(name => name ?? undefined),
})

const addresses = z
  .array(address)
  .max(recipientLimit, { message: `must have at most ${recipientLimit} entries` })

export const attachmentSchema = z.strictObject({
  filename: headerText.min(1, { message: 'must not be empty' }),
  contentType: z
    .string()
    .regex(/^[\w.+-]+\/[\w.+-]+$/, { message: 'must be a media type such as image/png' }),
  content: z.base64({ message: 'must be base64' }).optional(),
  uploadId: z
    .string()
    .regex(uploadIdPattern, { message: 'must be an id that POST /v1/uploads gave' })
    .optional()
    .describe('In place of `content`: the bytes lie in S3 already.'),
  contentId: z
    .string()
    .regex(/^[\w.+-]{1,100}(@[\w.-]{1,100})?$/, {
      message: 'must be a name such as logo or logo@contoso.example, without angle brackets',
    })
    .optional()
    .describe(
      'Shown within `html`, where that says `cid:` and this, and not as a file beside it (RFC 2392).',
    ),
})

const attachment = attachmentSchema.refine(
  ({ content, uploadId }) => (content === undefined) !== (uploadId === undefined),
  { path: ['content'], message: 'must be given, or uploadId instead' },
)

const time = z.iso.datetime({ offset: true, message: 'must be an ISO 8601 time with an offset' })

/** Reserved: what Postroom writes itself, and what would change where the mail goes or who it is from. */
const ownHeader = /^(x-postroom-.*|x-mailer)$/i
const allowedHeader = /^(x-[\w-]{1,60}|list-[\w-]{1,60})$/i

const headers = z
  .record(
    z.string().refine(name => allowedHeader.test(name) && !ownHeader.test(name), {
      message: 'must begin with X- or List- and not be one of Postroom’s own',
    }),
    headerText,
  )
  .refine(given => Object.keys(given).length <= headerLimit, {
    message: `must have at most ${headerLimit} entries`,
  })

export const messageDocumentSchema = z
  .strictObject({
    to: addresses.default([]),
    cc: addresses.default([]),
    bcc: addresses.default([]),
    replyTo: addresses.default([]),
    from: address.optional(),
    subject: headerText.default(''),
    text: z.string().optional(),
    html: z.string().optional(),
    /** A Postroom message id or a Message-ID. */
    inReplyTo: headerText.min(1, { message: 'must not be empty' }).optional(),
    attachments: z
      .array(attachment)
      .max(attachmentLimit, { message: `must have at most ${attachmentLimit} entries` })
      .default([]),
    headers: headers.default({}),
    sendAt: time.optional(),
    expiresAt: time.optional(),
    /**
     * A program wrote it, no person: RFC 3834 headers keep other programs from answering. `reply` if it answers one
     * mail, as an absence notice does.
     */
    automatic: z.union([z.boolean(), z.literal('reply')]).default(false),
    onUncertain: z.enum(['report', 'resend']).default('report'),
  })
  .refine(message => message.to.length + message.cc.length + message.bcc.length > 0, {
    path: ['to'],
    message: 'must have a recipient in to, cc or bcc',
  })
  .refine(message => message.text !== undefined || message.html !== undefined, {
    path: ['text'],
    message: 'must be given, or html instead',
  })
  .superRefine(({ attachments, html }, context) => {
    const seen = new Set<string>()
    for (const [index, { contentId }] of attachments.entries()) {
      if (contentId === undefined) continue
      const path = ['attachments', index, 'contentId']
      const refuse = (message: string) =>
        context.addIssue({ code: 'custom', path, input: contentId, message })
      if (html === undefined) refuse('must come with html that shows it')
      else if (seen.has(contentId)) refuse('must be another for each file')
      seen.add(contentId)
    }
  })

export type MessageDocument = z.infer<typeof messageDocumentSchema>

export const idempotencyKeySchema = z
  .string()
  .min(1, { message: 'must not be empty' })
  .max(255, { message: 'must be at most 255 characters' })
  .regex(/^[\x21-\x7e]+$/, { message: 'must be visible ASCII' })
