/** Accepts a message, from HTTP and from SQS alike: checked, frozen in S3, then one conditional row. After that it is never lost. */

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { attachedFiles } from './attached-files.ts'
import type { Channel } from './channels.ts'
import { type FieldFault, PostroomError } from './faults.ts'
import { derivedId, randomId } from './identifiers.ts'
import { parseInput } from './input.ts'
import { log } from './log.ts'
import type { LoopBrake } from './loop-brake.ts'
import { mailKeys } from './mail-keys.ts'
import type { MailStore } from './mail-store.ts'
import { idempotencyKeySchema, type MessageDocument, messageDocumentSchema } from './message-document.ts'
import type { Address, Messages, OutboundMessage } from './messages.ts'
import { composeMime } from './mime.ts'
import type { Outbox } from './outbox.ts'
import { type Providers, providerOf } from './provider.ts'
import type { ThreadEntry, Threads } from './threads.ts'

export interface AcceptServices {
  messages: Messages
  outbox: Outbox
  threads: Threads
  loopBrake: LoopBrake
  mail: MailStore
  providers: Providers
  now(): number
}

/** How long a message may wait to be sent unless the app says otherwise. */
const defaultLifeMs = 72 * 3600_000
/** RFC 5322 3.6.4 wants the whole chain; beyond this many, the middle is left out so that headers stay sane. */
const referencesLimit = 50
/** RFC 5322 2.1.1: a line is at most 998 octets, and an id cannot be folded. */
const messageIdLimit = 900
/** Some servers refuse headers that are longer in all than 16 or 32 kB. */
const referencesByteLimit = 8_000

interface AcceptRequest {
  channel: Channel
  idempotencyKey: unknown
  /** What the caller calls the key: a header by HTTP, a field by SQS. */
  keyField?: 'Idempotency-Key' | 'idempotencyKey'
  /** What the app sent, unchecked. */
  document: unknown
}

/**
 * @throws PostroomError `request_invalid`, `idempotency_key_missing`, `idempotency_conflict`,
 *   `message_too_large`, `channel_disconnected`, `loop_braked`
 */
export async function accept(request: AcceptRequest, services: AcceptServices): Promise<OutboundMessage> {
  const { channel } = request
  const key = readKey(request)
  const document = parseInput(messageDocumentSchema, request.document)
  const id = outboundId(channel.id, key)
  const documentHash = createHash('sha256').update(JSON.stringify(document)).digest('base64url')

  const known = await services.messages.find(id)
  if (known) return sameOrConflict(known, documentHash)
  if (channel.disconnectedAt !== null) throw new PostroomError('channel_disconnected')

  if (document.automatic) await services.loopBrake.check(channel.id, recipientsOf(document))
  const message = await freeze({ id, channel, document, documentHash }, services)
  await services.outbox.point(message, message.sendAt ?? message.acceptedAt)
  if (!(await services.messages.create(message))) {
    return sameOrConflict(await services.messages.get(id), documentHash)
  }
  log({ event: 'message_accepted', channelId: channel.id, messageId: id })
  if (document.automatic) {
    for (const { address } of recipientsOf(document)) await services.loopBrake.count(channel.id, address)
  }
  return message
}

/** The same key of the same channel is the same message. */
export function outboundId(channelId: string, idempotencyKey: string): string {
  return derivedId('msg', channelId, idempotencyKey)
}

function recipientsOf(document: MessageDocument) {
  return (['to', 'cc', 'bcc'] as const).flatMap(field =>
    document[field].map(({ address }, index) => ({ field: `${field}.${index}.address`, address })),
  )
}

/** @throws PostroomError `idempotency_key_missing`, `request_invalid` */
function readKey({ idempotencyKey, keyField = 'Idempotency-Key' }: AcceptRequest): string {
  if (idempotencyKey === undefined) {
    throw new PostroomError('idempotency_key_missing', {
      errors: [{ field: keyField, rule: 'must be given', found: 'nothing' }],
    })
  }
  const schema = v.object({ [keyField]: idempotencyKeySchema })
  return parseInput(schema, { [keyField]: idempotencyKey })[keyField] ?? ''
}

function sameOrConflict(known: { id: string; direction: string }, documentHash: string): OutboundMessage {
  const message = known as OutboundMessage
  if (message.documentHash === documentHash) return message
  throw new PostroomError('idempotency_conflict', {
    errors: [
      { field: 'Idempotency-Key', rule: 'must be new for a new message', found: `message ${message.id}` },
    ],
  })
}

interface Draft {
  id: string
  channel: Channel
  document: MessageDocument
  documentHash: string
}

async function freeze(draft: Draft, services: AcceptServices): Promise<OutboundMessage> {
  const { id, channel, documentHash } = draft
  const document = { ...draft.document, subject: subjectOf(draft.document) }
  const { messages, threads, mail, providers, now } = services
  const acceptedAt = new Date(now())
  const from = senderOf(channel, document)
  const times = timesOf(document, acceptedAt)
  const messageId = `<${id}@${from.address.slice(from.address.lastIndexOf('@') + 1)}>`
  const parent = await parentOf(channel, document, services)
  const references = parent ? chain([...parent.references, parent.messageId]) : []
  const inReplyTo = parent && fitsHeader(parent.messageId) ? parent.messageId : null
  const limitBytes = providerOf(providers, channel.provider).limits.messageBytes
  const files = await attachedFiles(document, { channel, mail, limitBytes })

  const raw = await composeMime({
    id,
    messageId,
    date: acceptedAt,
    from,
    document,
    files,
    inReplyTo,
    references,
  })
  if (raw.byteLength > limitBytes) {
    throw new PostroomError('message_too_large', {
      errors: [
        {
          field: 'body',
          rule: `must be at most ${limitBytes} bytes once encoded`,
          found: `${raw.byteLength}`,
        },
      ],
    })
  }

  const keys = mailKeys.outbound(channel.accountId, id, randomId('v'))
  const attachments = files.map((file, index) => ({ ...file, key: keys.attachment(index) }))
  const threadId =
    parent?.threadId ?? (await threads.threadOf(channel.id, { messageId, inReplyTo: null, references }))
  await Promise.all([
    mail.put(keys.raw, raw, 'message/rfc822'),
    ...attachments.map(({ key, bytes }) => mail.put(key, bytes, 'application/octet-stream')),
    messages.writeContent(keys.content, {
      text: document.text ?? null,
      html: document.html ?? null,
      attachments: attachments.map(({ bytes, ...attachment }) => ({
        ...attachment,
        sizeBytes: bytes.byteLength,
        disposition: attachment.contentId === null ? 'attachment' : 'inline',
      })),
    }),
    threads.remember(channel.id, { threadId, id, messageId, references }),
  ])

  return {
    id,
    accountId: channel.accountId,
    channelId: channel.id,
    direction: 'outbound',
    state: 'queued',
    messageId,
    threadId,
    from: [from],
    to: document.to.map(named),
    cc: document.cc.map(named),
    bcc: document.bcc.map(named),
    replyTo: document.replyTo.map(named),
    subject: document.subject,
    inReplyTo,
    references,
    sizeBytes: raw.byteLength,
    rawKey: keys.raw,
    contentKey: keys.content,
    fault: null,
    acceptedAt: acceptedAt.toISOString(),
    ...times,
    onUncertain: document.onUncertain,
    documentHash,
    attempt: 0,
    epoch: 0,
    sentLook: null,
    nextAttemptAt: null,
    sentAt: null,
    providerMessageId: null,
    rejectedRecipients: [],
  }
}

function named({ address, name }: { address: string; name?: string }): Address {
  return { address, name: name ?? null }
}

/** Nobody sends as an address that is neither the mailbox's own nor set for it: Exchange refuses it, Gmail rewrites it silently. */
function senderOf(channel: Channel, document: MessageDocument): Address {
  const own = channel.sharedMailbox ?? channel.email
  if (!document.from) return { address: own, name: channel.displayName }
  const given = document.from.address
  const address = [own, ...channel.aliases].find(allowed => allowed.toLowerCase() === given.toLowerCase())
  if (address !== undefined) return { address, name: document.from.name ?? channel.displayName }
  const rule = `must be the channel's address ${own} or one of its aliases`
  throw invalid({ field: 'from.address', rule, found: given })
}

function timesOf(document: MessageDocument, acceptedAt: Date): { sendAt: string | null; expiresAt: string } {
  const sendAt = document.sendAt === undefined ? null : new Date(document.sendAt)
  const earliest = sendAt !== null && sendAt > acceptedAt ? sendAt : acceptedAt
  const expiresAt = new Date(document.expiresAt ?? earliest.getTime() + defaultLifeMs)
  if (expiresAt <= earliest) {
    throw invalid({
      field: 'expiresAt',
      rule: 'must be after now and after sendAt',
      found: document.expiresAt ?? '',
    })
  }
  return { sendAt: sendAt?.toISOString() ?? null, expiresAt: expiresAt.toISOString() }
}

/** @returns what is answered: a message of this channel by id or Message-ID, or a Message-ID we do not know */
async function parentOf(
  channel: Channel,
  { inReplyTo }: MessageDocument,
  { messages, threads }: AcceptServices,
): Promise<(Pick<ThreadEntry, 'messageId' | 'references'> & { threadId?: string }) | undefined> {
  if (inReplyTo === undefined) return undefined
  if (isMessageId(inReplyTo)) {
    return (await threads.find(channel.id, inReplyTo)) ?? { messageId: inReplyTo, references: [] }
  }
  const message = await messages.find(inReplyTo)
  if (message?.channelId === channel.id) return message
  throw invalid({
    field: 'inReplyTo',
    rule: 'must be a message of this channel or a Message-ID in angle brackets',
    found: inReplyTo.slice(0, 80),
  })
}

/** RFC 5322 3.6.4, without the obsolete forms. */
function isMessageId(text: string): boolean {
  return /^<[^\s<>@]+@[^\s<>@]+>$/.test(text)
}

/** What strangers call their mails need not fit: servers refuse long lines, and 8-bit headers where both have not agreed to them. */
function fitsHeader(messageId: string): boolean {
  return messageId.length <= messageIdLimit && /^[\x21-\x7e]+$/.test(messageId)
}

/** The root and the nearest ancestors: what mail programs thread by. */
function chain(ids: string[]): string[] {
  const [root, ...rest] = [...new Set(ids)].filter(fitsHeader)
  if (root === undefined) return []
  let bytes = root.length
  const nearest: string[] = []
  for (const id of rest.reverse()) {
    bytes += id.length + 1
    if (nearest.length + 1 >= referencesLimit || bytes > referencesByteLimit) break
    nearest.unshift(id)
  }
  return [root, ...nearest]
}

/** `Re`, and what German, Scandinavian, Dutch and Italian programs write; `RE[2]` is an old way of counting. */
const repeatedReplyPrefix = /^\s*(?:(?:re|aw|sv|vs|antw|r|rif)(?:\[\d+\])?\s*:\s*){2,}/i

/** RFC 5322 3.6.5: one `Re: `, no more, however often a conversation has gone to and fro. */
function subjectOf({ subject, inReplyTo }: MessageDocument): string {
  return inReplyTo === undefined ? subject : subject.replace(repeatedReplyPrefix, 'Re: ')
}

function invalid(fault: FieldFault): PostroomError {
  return new PostroomError('request_invalid', { errors: [fault] })
}
