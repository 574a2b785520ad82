/** One mail becomes one message: raw bytes first, then the row, then the event. Repeated after a crash, it stays one. */

import type { Channel } from '../channel/channels.ts'
import { presentForEvent } from '../channel/event-message.ts'
import type { Events } from '../channel/events.ts'
import type { PostroomError } from '../channel/faults.ts'
import type { FetchedMail } from '../channel/imap-reader.ts'
import type { LoopBrake } from '../channel/loop-brake.ts'
import { mailKeys } from '../channel/mail-keys.ts'
import type { MailStore } from '../channel/mail-store.ts'
import type { InboundMessage, Message, MessageContent, Messages } from '../channel/messages.ts'
import type { Threads } from '../channel/threads.ts'
import { meaningOf } from './meaning.ts'
import type { ParsedMail } from './parsed-mail.ts'
import type { Parser } from './parser.ts'
import { readMail } from './read-mail.ts'
import { storeContent } from './stored-content.ts'

export interface IngestServices {
  messages: Messages
  threads: Threads
  events: Events
  mail: MailStore
  parser: Parser
  loopBrake: LoopBrake
  now(): number
}

interface Arrival {
  channel: Channel
  folder: string
  uidValidity: string
  /** Which mail it is (identity.ts), wherever and under whatever UID it lies. */
  id: string
  /** After a UIDVALIDITY change the mail may be an old one, though a server may write its bytes a little differently. */
  isRenumbered: boolean
  /** Why there is nothing to parse: the server does not give the mail, or storing it failed again and again. */
  fault?: PostroomError
  services: IngestServices
}

export async function ingest(mail: FetchedMail, arrival: Arrival): Promise<void> {
  const { channel, folder, uidValidity, id, isRenumbered, services } = arrival
  const { messages, threads, mail: store } = services
  const known = await messages.find(id)
  if (known) return announceAgain(known, services)

  const keys = mailKeys.inbound(channel.accountId, id)
  const { parsed, fault } = await readMail(mail, arrival.fault, services.parser)
  const messageId = parsed.messageId ?? `<${id}@no-message-id.invalid>`
  if (isRenumbered) {
    const before = await sameMail(channel.id, { messageId, mail, parsed }, services)
    if (before) return announceAgain(before, services)
  }

  const own = await ownCopy({ channel, folder, messageId, parsed }, services)
  if (own) {
    const filed = { folder, uidValidity, uid: mail.uid }
    await messages.change(own.id, { filed })
    return
  }

  await store.put(keys.raw, mail.raw, 'message/rfc822')
  const content = await storeContent(parsed, keys, services)
  const { inReplyTo, references } = parsed
  const conversation = mail.gmailThreadId === null ? parsed.conversation : `X-GM-THRID ${mail.gmailThreadId}`
  const threadId = await threads.threadOf(channel.id, { messageId, inReplyTo, references, conversation })
  const receivedAt = mail.receivedAt.toISOString()
  const meaning = await meaningOf(parsed, { channel, id, receivedAt }, services)
  const sender = parsed.from[0]?.address
  if (sender && isAnswerOfProgram(meaning.automatic)) await services.loopBrake.count(channel.id, sender)

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
    sizeBytes: mail.raw.byteLength + mail.omittedBytes,
    rawKey: keys.raw,
    contentKey: keys.content,
    fault,
    receivedAt,
    date: parsed.date,
    folder,
    uid: mail.uid,
    uidValidity,
    ...meaning,
  }
  await threads.remember(channel.id, { threadId, id, messageId, references })
  const isNew = await messages.create(message)
  await announce(isNew ? message : await messages.get(id), content, services)
}

async function announce(
  message: Message,
  content: MessageContent,
  { events }: Pick<IngestServices, 'events'>,
): Promise<void> {
  await events.announce({
    type: 'message.received',
    accountId: message.accountId,
    channelId: message.channelId,
    occurredAt: message.direction === 'inbound' ? message.receivedAt : message.acceptedAt,
    subject: message.id,
    data: { message: presentForEvent(message, content) },
  })
}

/** The row was the last thing stored before the event: a crash may have come between the two. */
async function announceAgain(message: Message, services: IngestServices): Promise<void> {
  await announce(message, await services.messages.readContent(message.contentKey), services)
}

/** The mail under its old UID: the same Message-ID, second of arrival, date and subject. */
async function sameMail(
  channelId: string,
  { messageId, mail, parsed }: { messageId: string; mail: FetchedMail; parsed: ParsedMail },
  { threads, messages }: IngestServices,
): Promise<Message | undefined> {
  const entry = await threads.find(channelId, messageId)
  const message = entry && (await messages.find(entry.id))
  const isSame =
    message?.direction === 'inbound' &&
    message.receivedAt === mail.receivedAt.toISOString() &&
    message.date === parsed.date &&
    message.subject === parsed.subject
  return isSame ? message : undefined
}

/**
 * A copy of what this channel sent, which lies in Sent, in Gmail's All Mail or wherever it was moved to: the app knows the
 * message, so it is noted there and not told as one that came. In INBOX it did come: somebody writes to themselves.
 */
async function ownCopy(
  {
    channel,
    folder,
    messageId,
    parsed,
  }: { channel: Channel; folder: string; messageId: string; parsed: ParsedMail },
  { threads, messages }: IngestServices,
): Promise<Message | undefined> {
  if (folder.toUpperCase() === 'INBOX' || parsed.report) return undefined
  const entry = await threads.find(channel.id, messageId)
  // The provider may have given it another Message-ID: our own header stays.
  const ids = [...(entry ? [entry.id] : []), ...parsed.postroomIds]
  const named = await Promise.all(ids.filter(id => id !== '').map(id => messages.find(id)))
  return named.find(message => message?.direction === 'outbound' && message.channelId === channel.id)
}

/** What two programs write to each other, unlike reports and newsletters. */
function isAnswerOfProgram(automatic: InboundMessage['automatic']): boolean {
  return automatic?.kind === 'auto_reply' || automatic?.kind === 'auto_generated'
}
