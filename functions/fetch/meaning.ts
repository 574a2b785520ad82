/** What a mail is, beside what it says: automatic, from a list, from ourselves, a report about a mail of ours. */

import type { Channel } from '../channel/channels.ts'
import type { Events } from '../channel/events.ts'
import type { InboundMessage, Messages } from '../channel/messages.ts'
import type { Threads } from '../channel/threads.ts'
import { applyReport } from './bounces.ts'
import type { ParsedMail } from './parsed-mail.ts'

interface MeaningServices {
  messages: Messages
  threads: Threads
  events: Events
}

/** A report is put to the mail it is about before anybody hears of it. */
export async function meaningOf(
  parsed: ParsedMail,
  { channel, id, receivedAt }: { channel: Channel; id: string; receivedAt: string },
  services: MeaningServices,
): Promise<Pick<InboundMessage, 'automatic' | 'listId' | 'isFromSelf' | 'report'>> {
  const { automatic, listId, report } = parsed
  const received = { channel, reportId: id, reportedAt: receivedAt }
  const about = report && (await applyReport(report, received, services))
  const isFromSelf = await cameFromHere(parsed, channel, services)
  return {
    automatic,
    listId,
    isFromSelf,
    report: report && { kind: report.kind, about: about?.id ?? null },
  }
}

/** By its sender, an alias among them, or since it is a mail that this channel sent. */
async function cameFromHere(
  { from, postroomIds }: ParsedMail,
  channel: Channel,
  { messages }: MeaningServices,
): Promise<boolean> {
  const { email, sharedMailbox, aliases, login } = channel
  const own = [email, sharedMailbox, ...aliases, login.imap, login.smtp].map(address =>
    address?.toLowerCase(),
  )
  if (from.some(({ address }) => own.includes(address.toLowerCase()))) return true
  const named = await Promise.all(postroomIds.map(id => messages.find(id)))
  return named.some(message => message?.direction === 'outbound' && message.channelId === channel.id)
}
