/** What a queue record is: a doorbell, a message document to accept, a notice to an owner, or something that can never be accepted. */

import type { SQSRecord } from 'aws-lambda'
import * as v from 'valibot'
import { accept } from '../channel/accept.ts'
import { type Events, operatorAccount } from '../channel/events.ts'
import { asPostroomError, describeFault, type PostroomError } from '../channel/faults.ts'
import { parseInput } from '../channel/input.ts'
import { doorbellSchema, ownerNoticeSchema } from '../channel/queue-bodies.ts'
import { check } from '../channel/schema-check.ts'
import { noticeOwner, type OwnerNoticeServices } from './owner-notice.ts'

export interface IntakeServices extends OwnerNoticeServices {
  events: Events
  /** Puts a record that can never be accepted into the dead-letter queue, for a person to look at. */
  bury(record: SQSRecord, code: string): Promise<void>
}

const documentSchema = v.looseObject({
  channelId: v.string('must name a channel'),
  idempotencyKey: v.optional(v.unknown()),
})

/**
 * @returns the channel to drain, or null if there is nothing to do for this record
 * @throws PostroomError of faults that pass by themselves; the record then comes again
 */
export async function takeIn(record: SQSRecord, services: IntakeServices): Promise<string | null> {
  const body = parseJson(record.body)
  const doorbell = check(doorbellSchema, body)
  if (doorbell.success) return doorbell.data.channelId
  const notice = check(ownerNoticeSchema, body)
  if (notice.success) return noticeOwner(notice.data, services)
  try {
    const { channelId, idempotencyKey, ...document } = parseInput(documentSchema, body)
    const channel = await services.channels.get(channelId)
    const message = await accept({ channel, idempotencyKey, keyField: 'idempotencyKey', document }, services)
    return message.channelId
  } catch (thrown) {
    const error = asPostroomError(thrown)
    if (error.row.action !== 'refuse') throw error
    await reject(record, { body, error }, services)
    return null
  }
}

/** @returns undefined if it names none, so that it will be rejected */
export function channelNamedIn(record: SQSRecord): string | undefined {
  const named = check(documentSchema, parseJson(record.body))
  return named.success ? named.data.channelId : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function reject(
  record: SQSRecord,
  { body, error }: { body: unknown; error: PostroomError },
  { channels, events, bury, now }: IntakeServices,
): Promise<void> {
  const named = check(documentSchema, body)
  const channel = named.success ? await channels.find(named.data.channelId) : undefined
  await events.announce({
    type: 'message.rejected',
    accountId: channel?.accountId ?? operatorAccount,
    channelId: channel?.id ?? null,
    occurredAt: new Date(now()).toISOString(),
    subject: record.messageId,
    data: {
      fault: describeFault(error),
      errors: error.errors,
      queueMessageId: record.messageId,
      idempotencyKey: named.success ? String(named.data.idempotencyKey ?? '').slice(0, 255) : null,
    },
  })
  await bury(record, error.code)
}
