/**
 * Puts a report to the mail it is about. Anybody can write a report, so it counts only where the mail it names is one
 * that this very channel sent, and the recipient one that it was sent to: a forged bounce changes nothing.
 */

import type { Channel } from '../channel/channels.ts'
import { presentForEvent } from '../channel/event-message.ts'
import type { Events } from '../channel/events.ts'
import type { Bounce, Messages, OutboundMessage } from '../channel/messages.ts'
import type { Threads } from '../channel/threads.ts'
import type { Report } from './delivery-report.ts'

interface BounceServices {
  messages: Messages
  threads: Threads
  events: Events
}

interface Received {
  channel: Channel
  /** The received message that holds the report. */
  reportId: string
  reportedAt: string
}

/** More than any mail has recipients. */
const bouncesLimit = 50

/** @returns the message it is about, or undefined where it is none of this channel's */
export async function applyReport(
  report: Report,
  received: Received,
  services: BounceServices,
): Promise<OutboundMessage | undefined> {
  const message = await reportedMessage(report, received.channel, services)
  if (!message) return undefined
  for (const bounce of bouncesOf(report, message, received)) await applyBounce(message.id, bounce, services)
  return message
}

async function reportedMessage(
  report: Report,
  channel: Channel,
  { messages, threads }: BounceServices,
): Promise<OutboundMessage | undefined> {
  const isOurs = (message: Awaited<ReturnType<Messages['find']>>): message is OutboundMessage =>
    message?.direction === 'outbound' && message.channelId === channel.id
  for (const id of report.postroomIds) {
    const message = await messages.find(id)
    if (isOurs(message)) return message
  }
  for (const messageId of report.messageIds) {
    const known = await threads.find(channel.id, messageId)
    const message = known && (await messages.find(known.id))
    if (isOurs(message)) return message
  }
  return undefined
}

function bouncesOf(report: Report, message: OutboundMessage, { reportId, reportedAt }: Received): Bounce[] {
  const { kind } = report
  if (kind !== 'bounce' && kind !== 'complaint') return []
  const sentTo = [...message.to, ...message.cc, ...message.bcc].map(({ address }) => address)
  // What is forwarded bounces under an address we never wrote to; with one recipient it is plain whose it is.
  const only = new Set(sentTo.map(address => address.toLowerCase())).size === 1 ? sentTo[0] : undefined
  const reported =
    report.recipients.length > 0
      ? report.recipients
      : [{ address: only ?? null, status: null, isPermanent: kind === 'complaint', diagnostic: null }]
  const bounces = new Map<string | null, Bounce>()
  for (const { address, status, isPermanent, diagnostic } of reported) {
    const known = sentTo.find(one => one.toLowerCase() === address?.toLowerCase())
    const recipient = known ?? only ?? null
    if (recipient === null && address !== null) continue
    bounces.set(recipient, { kind, recipient, status, isPermanent, diagnostic, reportId, reportedAt })
  }
  return [...bounces.values()]
}

async function applyBounce(
  messageId: string,
  bounce: Bounce,
  { messages, events }: BounceServices,
): Promise<void> {
  const message = await note(messageId, bounce, messages)
  await events.announce({
    type: 'message.bounced',
    accountId: message.accountId,
    channelId: message.channelId,
    occurredAt: bounce.reportedAt,
    subject: `${message.id} ${bounce.reportId} ${bounce.recipient ?? ''}`,
    data: { bounce, message: presentForEvent(message, await messages.readContent(message.contentKey)) },
  })
}

/** Adds it to the row unless it stands there: from an earlier attempt, or since there are enough. */
async function note(messageId: string, bounce: Bounce, messages: Messages): Promise<OutboundMessage> {
  for (;;) {
    const message = await messages.get(messageId)
    if (message.direction !== 'outbound') throw new TypeError(`${messageId} was sent by nobody`)
    const { bounces = [], bounceCount = 0 } = message
    const isNoted = bounces.some(
      ({ reportId, recipient }) => reportId === bounce.reportId && recipient === bounce.recipient,
    )
    if (isNoted || bounces.length >= bouncesLimit) return message
    const changed = await messages.change(
      messageId,
      { bounces: [...bounces, bounce], bounceCount: bounceCount + 1 },
      { atMost: { bounceCount } },
    )
    if (changed) return changed
  }
}
