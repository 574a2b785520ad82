/** What goes through the queues: doorbells and message documents for `send`, batches of mailboxes for `fetch`. */

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

export const pollQueueUrlsSchema = z.record(z.string(), z.string().min(1))

/** Where what nobody can make anything of waits for a person. */
export interface DeadLetters {
  bury(body: string, code: string): Promise<void>
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
