/** The message an app hands us, by HTTP or by SQS: its fields and their rules, checked before any library sees them. */

import * as v from 'valibot'
import { uploadIdPattern } from './attached-files.ts'
import { addressSchema } from './mail-address.ts'
import { base64, time } from './single-values.ts'

/** CR, LF, NUL and the rest of the control characters end headers early. */
const noControls = /^\P{Cc}*$/u
/** RFC 5322 2.1.1: a line is at most 998 octets; this leaves room for the header's name where nothing can be folded. */
const headerValueLimit = 900
const recipientLimit = 50
const attachmentLimit = 100
/** Some servers refuse headers that are longer in all than 16 or 32 kB. */
const headerLimit = 30

const headerText = v.pipe(
  v.string(),
  v.maxLength(headerValueLimit, `must be at most ${headerValueLimit} characters`),
  v.regex(noControls, 'must not hold control characters'),
)

const address = v.strictObject({
  address: addressSchema,
  /** Null is none: an address out of a message of ours can be answered as it is. */
  name: v.pipe(
    v.nullish(headerText),
    v.transform(name => name ?? undefined),
  ),
})

const addresses = v.pipe(
  v.array(address),
  v.maxLength(recipientLimit, `must have at most ${recipientLimit} entries`),
)

export const attachmentSchema = v.strictObject({
  filename: v.pipe(headerText, v.minLength(1, 'must not be empty')),
  contentType: v.pipe(v.string(), v.regex(/^[\w.+-]+\/[\w.+-]+$/, 'must be a media type such as image/png')),
  content: v.optional(base64),
  uploadId: v.pipe(
    v.optional(v.pipe(v.string(), v.regex(uploadIdPattern, 'must be an id that POST /v1/uploads gave'))),
    v.description('In place of `content`: the bytes lie in S3 already.'),
  ),
  contentId: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^[\w.+-]{1,100}(@[\w.-]{1,100})?$/,
          'must be a name such as logo or logo@contoso.example, without angle brackets',
        ),
      ),
    ),
    v.description(
      'Shown within `html`, where that says `cid:` and this, and not as a file beside it (RFC 2392).',
    ),
  ),
})

const attachment = v.pipe(
  attachmentSchema,
  v.forward(
    v.check(
      ({ content, uploadId }) => (content === undefined) !== (uploadId === undefined),
      'must be given, or uploadId instead',
    ),
    ['content'],
  ),
)

/** Reserved: what Postroom writes itself, and what would change where the mail goes or who it is from. */
const ownHeader = /^(x-postroom-.*|x-mailer)$/i
const allowedHeader = /^(x-[\w-]{1,60}|list-[\w-]{1,60})$/i

const headers = v.pipe(
  v.record(
    v.pipe(
      v.string(),
      v.check(
        name => allowedHeader.test(name) && !ownHeader.test(name),
        'must begin with X- or List- and not be one of Postroom’s own',
      ),
    ),
    headerText,
  ),
  v.check(given => Object.keys(given).length <= headerLimit, `must have at most ${headerLimit} entries`),
)

/** Of the place of what is broken: nothing of the value itself. */
const step = (key: string | number): v.IssuePathItem => ({
  type: 'unknown',
  origin: 'value',
  input: undefined,
  key,
  value: undefined,
})

export const messageDocumentSchema = v.pipe(
  v.strictObject({
    to: v.optional(addresses, []),
    cc: v.optional(addresses, []),
    bcc: v.optional(addresses, []),
    replyTo: v.optional(addresses, []),
    from: v.optional(address),
    subject: v.optional(headerText, ''),
    text: v.optional(v.string()),
    html: v.optional(v.string()),
    /** A Postroom message id or a Message-ID. */
    inReplyTo: v.optional(v.pipe(headerText, v.minLength(1, 'must not be empty'))),
    attachments: v.optional(
      v.pipe(
        v.array(attachment),
        v.maxLength(attachmentLimit, `must have at most ${attachmentLimit} entries`),
      ),
      [],
    ),
    headers: v.optional(headers, {}),
    sendAt: v.optional(time),
    expiresAt: v.optional(time),
    /**
     * A program wrote it, no person: RFC 3834 headers keep other programs from answering. `reply` if it answers one
     * mail, as an absence notice does.
     */
    automatic: v.optional(v.union([v.boolean(), v.literal('reply')]), false),
    onUncertain: v.optional(v.picklist(['report', 'resend']), 'report'),
  }),
  v.forward(
    v.check(
      message => message.to.length + message.cc.length + message.bcc.length > 0,
      'must have a recipient in to, cc or bcc',
    ),
    ['to'],
  ),
  v.forward(
    v.check(
      message => message.text !== undefined || message.html !== undefined,
      'must be given, or html instead',
    ),
    ['text'],
  ),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return
    const { attachments, html } = dataset.value
    const seen = new Set<string>()
    for (const [index, { contentId }] of attachments.entries()) {
      if (contentId === undefined) continue
      const refuse = (message: string) =>
        addIssue({ message, path: [step('attachments'), step(index), step('contentId')] })
      if (html === undefined) refuse('must come with html that shows it')
      else if (seen.has(contentId)) refuse('must be another for each file')
      seen.add(contentId)
    }
  }),
)

export type MessageDocument = v.InferOutput<typeof messageDocumentSchema>

export const idempotencyKeySchema = v.pipe(
  v.string(),
  v.minLength(1, 'must not be empty'),
  v.maxLength(255, 'must be at most 255 characters'),
  v.regex(/^[\x21-\x7e]+$/, 'must be visible ASCII'),
)
