/**
 * Writes to the owner of a broken mailbox, at its app's wish, from another channel of the same account: an ordinary
 * message, accepted as any other, once for each prompt and each of its reminders.
 */

import { type AcceptServices, accept, outboundId } from '../channel/accept.ts'
import { mayUse } from '../channel/access.ts'
import type { Channel, Channels } from '../channel/channels.ts'
import { asPostroomError } from '../channel/faults.ts'
import { errorForLog, log } from '../channel/log.ts'
import type { OwnerNotice } from '../channel/queue-bodies.ts'
import type { ReconnectLinks } from '../channel/reconnect-link.ts'

export interface OwnerNoticeServices extends AcceptServices {
  channels: Channels
  links: ReconnectLinks
  /** What people know the app as. */
  appName: string | null
}

/**
 * @returns the channel whose outbox has it now, or null where there is nothing to write, or nobody to write from: the
 *   app has its event in any case
 * @throws PostroomError of faults that pass by themselves
 */
export async function noticeOwner(
  { channelId: senderId, ownerNotice }: OwnerNotice,
  services: OwnerNoticeServices,
): Promise<string | null> {
  const { channels, messages, links, appName } = services
  const broken = await channels.find(ownerNotice.channelId)
  // Cured meanwhile, or another episode's, which has notices of its own.
  if (broken?.auth.state !== 'reconnect_required' || broken.auth.since !== ownerNotice.since) return null
  const sender = await channels.find(senderId)
  const unfit = unfitness(sender, broken)
  if (!sender || unfit) {
    log({ event: 'owner_notice_skipped', channelId: broken.id, from: senderId, reason: unfit })
    return null
  }
  const idempotencyKey = `owner-notice/${broken.id}/${ownerNotice.since}/${ownerNotice.reminder}`
  // A record that comes twice would else make a second link, and so another message under the same key.
  if (await messages.find(outboundId(sender.id, idempotencyKey))) return sender.id
  try {
    const document = noticeOf(broken, { reconnectUrl: await links.create(broken), appName })
    await accept({ channel: sender, idempotencyKey, document }, services)
    return sender.id
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action !== 'refuse') throw error
    if (error.code === 'idempotency_conflict') return sender.id
    log({ event: 'owner_notice_skipped', channelId: broken.id, from: senderId, ...errorForLog(error) })
    return null
  }
}

/** Invariant I6, and that nothing waits where nothing leaves. */
function unfitness(sender: Channel | undefined, broken: Channel): string | null {
  if (!sender || sender.accountId !== broken.accountId) return 'channel_not_found'
  if (broken.disconnectedAt !== null) return 'channel_disconnected'
  if (sender.id === broken.id || !mayUse(sender, 'smtp')) return 'channel_not_usable'
  return null
}

function noticeOf(
  { email, sharedMailbox, auth, ownerNotice }: Channel,
  { reconnectUrl, appName }: { reconnectUrl: string; appName: string | null },
) {
  const mailbox = sharedMailbox ?? email
  return {
    to: [{ address: ownerNotice?.to ?? mailbox }],
    subject: `Please reconnect the mailbox ${mailbox}`,
    text: [
      `${appName ?? 'The app that sends and receives your mail'} can no longer use the mailbox ${mailbox}.`,
      auth.fault?.summary ?? '',
      'What was to be sent from it waits, and nothing new is read, until it is reconnected. To do that, open this page and sign in:',
      reconnectUrl,
      'The page works for seven days, and for this mailbox only. If you did not expect this mail, ask whoever looks after the app before you sign in.',
    ]
      .filter(paragraph => paragraph !== '')
      .join('\n\n'),
    automatic: true,
  }
}
