/** One mail becomes one message: raw bytes first, then the row, then the event. Repeated after a crash, it stays one. */

import type { Channel } from '../channel/channels.ts'
import { presentForEvent } from '../channel/event-message.ts'
import type { Events } from '../channel/events.ts'
import { describeFault, PostroomError } from '../channel/faults.ts'
import { derivedId } from '../channel/identifiers.ts'
import type { FetchedMail } from '../channel/imap.ts'
import { type MailStore, mailKeys } from '../channel/mail-store.ts'
import type { InboundMessage, MessageContent, Messages } from '../channel/messages.ts'
import type { Threads } from '../channel/threads.ts'
import { type ParsedMail, parseMail } from './parse.ts'

export interface IngestServices {
  messages: Messages
  threads: Threads
  events: Events
  mail: MailStore
  now(): number
}

interface Arrival {
  channel: Channel
  folder: string
  uidValidity: string
  /** After a UIDVALIDITY change: mail whose Message-ID we know was told before. */
  skipKnown: boolean
  services: IngestServices
}

export async function ingest(mail: FetchedMail, arrival: Arrival): Promise<void> {
  const { channel, folder, uidValidity, skipKnown, services } = arrival
  const { messages, threads, mail: store } = services
  const id = derivedId('msg', channel.id, folder, uidValidity, mail.uid)
  const keys = mailKeys.inbound(channel.accountId, id)

  const { parsed, fault } = await parseSafely(mail.raw)
  const messageId = parsed.messageId ?? `<${id}@no-message-id.invalid>`
  if (skipKnown) {
    const known = await threads.find(channel.id, messageId)
    // Our own entry, from an attempt that crashed, is no reason to skip.
    if (known && known.id !== id) return
  }

  await store.put(keys.raw, mail.raw, 'message/rfc822')
  const content = await storeContent(parsed, keys, services)
  const { inReplyTo, references } = parsed
  const threadId = await threads.threadOf(channel.id, { messageId, inReplyTo, references })

  const message: InboundMessage = {
    id,
    accountId: channel.accountId,
    channelId: channel.id,
    direction: 'inbound',
    state: 'received',
    messageId,
    threadId,
    from: parsed.from,
    to: parsed.to,
    cc: parsed.cc,
    replyTo: parsed.replyTo,
    subject: parsed.subject,
    inReplyTo,
    references,
    sizeBytes: mail.raw.byteLength,
    rawKey: keys.raw,
    contentKey: keys.content,
    fault,
    receivedAt: mail.receivedAt.toISOString(),
    date: parsed.date,
    folder,
    uid: mail.uid,
    uidValidity,
  }
  await threads.remember(channel.id, { threadId, id, messageId, references })
  const isNew = await messages.create(message)
  const stored = isNew ? message : await messages.get(id)
  await services.events.announce({
    type: 'message.received',
    accountId: channel.accountId,
    channelId: channel.id,
    occurredAt: message.receivedAt,
    subject: id,
    data: { message: presentForEvent(stored, content) },
  })
}

const unreadable: ParsedMail = {
  messageId: null,
  inReplyTo: null,
  references: [],
  from: [],
  to: [],
  cc: [],
  replyTo: [],
  subject: '',
  date: null,
  text: null,
  html: null,
  attachments: [],
}

/** No mail may stop its mailbox: what cannot be parsed is told with the reason, its bytes are kept. */
async function parseSafely(raw: Uint8Array): Promise<{ parsed: ParsedMail; fault: InboundMessage['fault'] }> {
  try {
    return { parsed: await parseMail(raw), fault: null }
  } catch (cause) {
    const evidence = cause instanceof Error ? cause.name : 'unknown'
    return {
      parsed: unreadable,
      fault: describeFault(new PostroomError('mail_unreadable', { cause, evidence })),
    }
  }
}

async function storeContent(
  { text, html, attachments }: ParsedMail,
  keys: ReturnType<typeof mailKeys.inbound>,
  { messages, mail }: IngestServices,
): Promise<MessageContent> {
  const content: MessageContent = {
    text,
    html,
    attachments: attachments.map(({ bytes, ...attachment }, index) => ({
      ...attachment,
      sizeBytes: bytes.byteLength,
      key: keys.attachment(index),
    })),
  }
  for (const [index, { bytes }] of attachments.entries()) {
    await mail.put(keys.attachment(index), bytes, 'application/octet-stream')
  }
  await messages.writeContent(keys.content, content)
  return content
}
