/** An operator's questions about a channel's logins: what does each server say, and what would be stored (rows S8, S10). */

import { mayUse } from '../channel/access.ts'
import { presentChannel } from '../channel/channels.ts'
import { PostroomError } from '../channel/faults.ts'
import { type HttpAnswer, json } from '../channel/http.ts'
import { type Recheck, recheck } from '../channel/recheck.ts'
import type { ConnectServices } from './connect.ts'

/**
 * `POST …/probe` tries every name and says what each server answered; what works is stored, which also cures
 * a channel that an administrator has unblocked. `POST …/reconcile-login` stops at the first name that works,
 * and with `dryRun` only says what it would store.
 * @throws PostroomError `channel_not_found`, `channel_disconnected`, those of the broker, `mailbox_unusable`
 */
export async function answerProbe(
  channelId: string,
  options: { tryAll: boolean; dryRun: boolean },
  services: ConnectServices,
): Promise<HttpAnswer> {
  const channel = await services.channels.get(channelId)
  if (channel.disconnectedAt !== null) throw new PostroomError('channel_disconnected')
  const result = await recheck(channel, options, services)
  // What was parked may leave now.
  if (!options.dryRun && mayUse(result.channel, 'smtp')) await services.queues.ring(channel.id)
  return json(200, present(result))
}

function present({ channel, before, after, probe }: Recheck) {
  return {
    channel: presentChannel(channel),
    before,
    after,
    imap: probe.imap.attempts,
    smtp: probe.smtp.attempts,
  }
}
