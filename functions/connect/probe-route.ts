/** An operator's questions about a channel's logins: what does each server say, and what would be stored (rows S8, S10). */

import { z } from 'zod'
import { mayUse } from '../channel/access.ts'
import { presentChannel } from '../channel/channels.ts'
import { PostroomError } from '../channel/faults.ts'
import { bodyText, type HttpAnswer, type HttpRequest, json } from '../channel/http.ts'
import { parseInput } from '../channel/input.ts'
import type { Queues } from '../channel/queues.ts'
import { type Recheck, type RecheckServices, recheck } from '../channel/recheck.ts'

const optionsSchema = z.strictObject({ dryRun: z.boolean().default(false) })

/**
 * `POST …/probe` tries every name and says what each server answered; what works is stored, which also cures
 * a channel that an administrator has unblocked. `POST …/reconcile-login` stops at the first name that works,
 * and with `dryRun` only says what it would store.
 * @throws PostroomError `channel_not_found`, `channel_disconnected`, those of the broker, `mailbox_unusable`
 */
export async function answerProbe(
  request: HttpRequest,
  { tryAll, services }: { tryAll: boolean; services: RecheckServices & { queues: Queues } },
): Promise<HttpAnswer> {
  const channel = await services.channels.get(request.pathParameters?.id ?? '')
  if (channel.disconnectedAt !== null) throw new PostroomError('channel_disconnected')
  const { dryRun } = parseInput(optionsSchema, readOptions(request))
  const result = await recheck(channel, { tryAll, dryRun }, services)
  // What was parked may leave now.
  if (!dryRun && mayUse(result.channel, 'smtp')) await services.queues.ring(channel.id)
  return json(200, present(result))
}

function readOptions(request: HttpRequest): unknown {
  const text = bodyText(request)
  if (text === '') return {}
  try {
    return JSON.parse(text)
  } catch {
    throw new PostroomError('json_invalid')
  }
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
