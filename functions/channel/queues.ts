/** The queues: doorbells for `send`, batches of mailboxes for `fetch`, work on secrets. */

import * as v from 'valibot'
import type { forgetSchema, OwnerNotice } from './queue-bodies.ts'

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
  forget(grant: v.InferOutput<typeof forgetSchema>['forget']): Promise<void>
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

export const pollQueueUrlsSchema = v.record(v.string(), v.pipe(v.string(), v.minLength(1)))

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
