/** The queues: doorbells and message documents for `send`, batches of mailboxes for `fetch`. The only file that writes to SQS. */

import { SendMessageBatchCommand, SendMessageCommand, type SQSClient } from '@aws-sdk/client-sqs'
import * as z from 'zod'

/** Rings for one channel's outbox. It carries nothing: the outbox is the truth. */
export const doorbellSchema = z.strictObject({ channelId: z.string().min(1) })

/** The owner of a broken mailbox is to be written to, from `channelId`. It carries no link: that is made last. */
export const ownerNoticeSchema = z.strictObject({
  channelId: z.string().min(1),
  ownerNotice: z.strictObject({
    /** The broken one. */
    channelId: z.string().min(1),
    /** When it broke: names the episode. */
    since: z.string(),
    /** 0 for the prompt itself. */
    reminder: z.int(),
  }),
})

export type OwnerNotice = z.infer<typeof ownerNoticeSchema>

export const pollBatchSchema = z.strictObject({
  channelIds: z.array(z.string().min(1)).min(1),
  /** Somebody asked and waits: an idle poll then leaves a trace, which it does not otherwise. */
  isRequested: z.boolean().optional(),
  /** The slot's interval of each, in the same order. */
  intervals: z.array(z.int().positive()).optional(),
  /** When its turn was, in epoch milliseconds. */
  dueAtMs: z.int().optional(),
})

/** Rings for one webhook's deliveries. */
export const webhookDoorbellSchema = z.strictObject({ webhookId: z.string().min(1) })

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

/** A stored mail that somebody wants parsed once more. */
export const reparseSchema = z.strictObject({ reparse: z.strictObject({ messageId: z.string().min(1) }) })

/** Grants that may have gone unused for long: each is refreshed before the provider ends it. */
export const keepAliveSchema = z.strictObject({ keepAlive: z.array(z.string().min(1)).min(1) })

/** Once a day: do the OAuth apps' secrets end soon? */
export const checkAppsSchema = z.strictObject({ checkApps: z.literal(true) })

export interface PollBatch {
  /** Of all of them. */
  provider: string
  channelIds: string[]
  /** Minutes, in the same order. */
  intervals: number[]
  delaySeconds: number
}

export interface Queues {
  reparse(messageId: string): Promise<void>
  forget(grant: z.infer<typeof forgetSchema>['forget']): Promise<void>
  keepAlive(channelIds: string[]): Promise<void>
  checkApps(): Promise<void>
  ring(channelId: string): Promise<void>
  noticeOwner(notice: OwnerNotice): Promise<void>
  /** Rings for a webhook that something waits for. */
  notify(webhookId: string): Promise<void>
  /** Batches for `fetch`. */
  poll(batches: PollBatch[]): Promise<void>
  /** A poll now, at somebody's wish. */
  pollNow(channel: { id: string; provider: string }): Promise<void>
}

export interface QueueServices {
  sqs: SQSClient
  outboundQueueUrl: string
  /** For providers without a queue of their own, and for work on secrets and mail. */
  pollQueueUrl: string
  /** By provider: what waits for one holds up no other's. */
  pollQueueUrls: Record<string, string>
  notifyQueueUrl: string
  now(): number
}

export const pollQueueUrlsSchema = z.record(z.string(), z.string().min(1))

/** SQS's own limit for one call. */
const entriesPerCall = 10
const callsAtOnce = 8

export function openQueues(services: QueueServices): Queues {
  const { sqs, outboundQueueUrl, pollQueueUrl, pollQueueUrls, notifyQueueUrl, now } = services
  const queueOf = (provider: string) =>
    Object.hasOwn(pollQueueUrls, provider) ? pollQueueUrls[provider] : pollQueueUrl

  async function pollCall({ QueueUrl, batches }: { QueueUrl?: string; batches: PollBatch[] }): Promise<void> {
    const Entries = batches.map(({ provider, delaySeconds, ...batch }, index) => {
      const body: z.infer<typeof pollBatchSchema> = { ...batch, dueAtMs: now() + delaySeconds * 1000 }
      return { Id: String(index), MessageBody: JSON.stringify(body), DelaySeconds: delaySeconds }
    })
    const { Failed = [] } = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }))
    // The minute then counts as not dispatched, and comes again: polled twice is harmless, not polled is not.
    if (Failed.length > 0) throw new Error(`SQS took ${Failed.length} of ${batches.length} batches not`)
  }

  return {
    async forget(grant) {
      const body: z.infer<typeof forgetSchema> = { forget: grant }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async reparse(messageId) {
      const body: z.infer<typeof reparseSchema> = { reparse: { messageId } }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async keepAlive(channelIds) {
      const body: z.infer<typeof keepAliveSchema> = { keepAlive: channelIds }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async checkApps() {
      const body: z.infer<typeof checkAppsSchema> = { checkApps: true }
      await sqs.send(new SendMessageCommand({ QueueUrl: pollQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async ring(channelId) {
      const body: z.infer<typeof doorbellSchema> = { channelId }
      await sqs.send(
        new SendMessageCommand({ QueueUrl: outboundQueueUrl, MessageBody: JSON.stringify(body) }),
      )
    },

    async noticeOwner(notice) {
      await sqs.send(
        new SendMessageCommand({ QueueUrl: outboundQueueUrl, MessageBody: JSON.stringify(notice) }),
      )
    },

    async notify(webhookId) {
      const body: z.infer<typeof webhookDoorbellSchema> = { webhookId }
      await sqs.send(new SendMessageCommand({ QueueUrl: notifyQueueUrl, MessageBody: JSON.stringify(body) }))
    },

    async pollNow({ id, provider }) {
      const body: z.infer<typeof pollBatchSchema> = { channelIds: [id], isRequested: true }
      await sqs.send(
        new SendMessageCommand({ QueueUrl: queueOf(provider), MessageBody: JSON.stringify(body) }),
      )
    },

    async poll(batches) {
      const byQueue = Map.groupBy(batches, ({ provider }) => queueOf(provider))
      const calls = [...byQueue].flatMap(([QueueUrl, all]) =>
        Array.from({ length: Math.ceil(all.length / entriesPerCall) }, (_, index) => ({
          QueueUrl,
          batches: all.slice(index * entriesPerCall, (index + 1) * entriesPerCall),
        })),
      )
      const worker = async () => {
        for (let call = calls.shift(); call; call = calls.shift()) await pollCall(call)
      }
      await Promise.all(Array.from({ length: callsAtOnce }, worker))
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
