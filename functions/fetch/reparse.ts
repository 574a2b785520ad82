/**
 * Parses a stored mail once more: after Postroom has learnt to read what it could not, or to see in it what it did not.
 * It stays the same message in the same thread, told by the same event; a mail that could not be read at all first finds
 * its thread now.
 */

import type { Channels } from '../channel/channels.ts'
import { log } from '../channel/log.ts'
import { mailKeys } from '../channel/mail-keys.ts'
import type { IngestServices } from './ingest.ts'
import { meaningOf } from './meaning.ts'
import { readMail } from './read-mail.ts'
import { storeContent } from './stored-content.ts'

export interface ReparseServices extends IngestServices {
  channels: Channels
}

export async function reparse(messageId: string, services: ReparseServices): Promise<void> {
  const { messages, threads, channels, mail, parser } = services
  const message = await messages.find(messageId)
  const channel = message && (await channels.find(message.channelId))
  const raw = message && (await mail.read(message.rawKey))
  if (message?.direction !== 'inbound' || !channel || !raw) {
    return log({ event: 'reparse_impossible', messageId, hasRaw: raw !== undefined })
  }

  // Of a mail too large to be taken in only the beginning is there.
  const omittedBytes = Math.max(0, message.sizeBytes - raw.byteLength)
  const { parsed, fault } = await readMail({ raw, omittedBytes }, undefined, parser)
  await storeContent(parsed, mailKeys.inbound(message.accountId, message.id), services)
  const meaning = await meaningOf(
    parsed,
    { channel, id: message.id, receivedAt: message.receivedAt },
    services,
  )

  const { from, to, cc, replyTo, subject, date, inReplyTo, references } = parsed
  const named = { messageId: parsed.messageId ?? message.messageId, inReplyTo, references }
  const isFirstReading = message.fault?.code === 'mail_unreadable' && fault === null
  const threadId = isFirstReading
    ? await threads.threadOf(channel.id, { ...named, conversation: parsed.conversation })
    : message.threadId
  await threads.remember(channel.id, { threadId, id: message.id, messageId: named.messageId, references })
  await messages.changeReceived(message.id, {
    ...{ ...named, from, to, cc, replyTo, subject, date, threadId, fault },
    ...meaning,
  })
  log({ event: 'reparsed', messageId, fault: fault?.code ?? null })
}
