/** The queues: doorbells and message documents for `send`, batches of mailboxes for `fetch`. The only file that writes to SQS. */

import { SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import { z } from 'zod'

/** Rings for one channel's outbox. It carries nothing: the outbox is the truth. */
export const doorbellSchema = z.strictObject({ channelId: z.string().min(1) })

export const pollBatchSchema = z.strictObject({
  channelIds: z.array(z.string().min(1)).min(1),
  /** Somebody asked and waits: an idle poll then leaves a trace, which it does not otherwise. */
  isRequested: z.boolean().optional(),
})

/** Work on secrets that a function without access to them has found. */
export const forgetSchema = z.strictObject({
  forget: z.strictObject({
    grantId: z.string(),
    accountId: z.string(),
    channelId: z.string(),
    provider: z.string(),
    identity: z.record(z.string(), z.string()),
    revoke: z.boolean(),
  }),
})

export interface Queues {
  forget(grant: z.infer<typeof forgetSchema>['forget']): Promise<void>
  ring(channelId: string): Promise<void>
  poll(channelIds: string[], delaySeconds?: number): Promise<void>
  /** A poll now, at somebody's wish. */
  pollNow(channelId: string): Promise<void>
}

export interface QueueServices {
  sqs: SQSClient
  outboundQueueUrl: string
  pollQueueUrl: string
}

export function openQueues({ sqs, outboundQueueUrl, pollQueueUrl }: QueueServices): Queues {
  return {
    async forget(grant) {
      const body: z.infer<typeof forgetSchema> = { forget: grant }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async ring(channelId) {
      const body: z.infer<typeof doorbellSchema> = { channelId }
      await sqs.send(
        new SendMessageCommand({ QueueUrl: outboundQueueUrl, MessageBody: JSON.stringify(body) }),
      )
    },

    async pollNow(channelId) {
      const body: z.infer<typeof pollBatchSchema> = { channelIds: [channelId], isRequested: true }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async poll(channelIds, delaySeconds = 0) {
      const body: z.infer<typeof pollBatchSchema> = { channelIds }
      await sqs.send(
        new SendMessageCommand({
          QueueUrl: pollQueueUrl,
          MessageBody: JSON.stringify(body),
          DelaySeconds: delaySeconds,
        }),
      )
    },
  }
}

/**
 * A doorbell that could not be rung is no failure: the row is stored, and `schedule` finds it within a
 * minute. The caller's answer must not depend on SQS.
 */
export async function ringQuietly(
  queues: Queues,
  channelId: string,
  log: (line: { event: string } & Record<string, unknown>) => void,
): Promise<void> {
  try {
    await queues.ring(channelId)
  } catch (error) {
    log({ event: 'doorbell_lost', channelId, error: error instanceof Error ? error.name : 'unknown' })
  }
}
