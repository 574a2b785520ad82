/**
 * What goes through the queues, as whoever takes it out checks it. While a deployment lasts, a release reads what the next
 * one writes: a field that it does not know is passed over, and what it needs must not become optional. Only a doorbell has
 * no further field, which tells it from the message documents of apps in the same queue.
 */

import * as v from 'valibot'
import { integer } from './single-values.ts'

/** Rings for one channel's outbox. It carries nothing: the outbox is the truth. */
export const doorbellSchema = v.strictObject({ channelId: v.pipe(v.string(), v.minLength(1)) })

/** The owner of a broken mailbox is to be written to, from `channelId`. It carries no link: that is made last. */
export const ownerNoticeSchema = v.object({
  channelId: v.pipe(v.string(), v.minLength(1)),
  ownerNotice: v.object({
    /** The broken one. */
    channelId: v.pipe(v.string(), v.minLength(1)),
    /** When it broke: names the episode. */
    since: v.string(),
    /** 0 for the prompt itself. */
    reminder: integer,
  }),
})

export type OwnerNotice = v.InferOutput<typeof ownerNoticeSchema>

export const pollBatchSchema = v.object({
  channelIds: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
  /** Somebody asked and waits: an idle poll then leaves a trace, which it does not otherwise. */
  isRequested: v.optional(v.boolean()),
  /** The slot's interval of each, in the same order. */
  intervals: v.optional(v.array(v.pipe(integer, v.gtValue(0)))),
  /** When its turn was, in epoch milliseconds. */
  dueAtMs: v.optional(integer),
})

/** Rings for one webhook's deliveries. */
export const webhookDoorbellSchema = v.object({ webhookId: v.pipe(v.string(), v.minLength(1)) })

/** Work on secrets that a function without access to them has found. */
export const forgetSchema = v.object({
  forget: v.object({
    grantId: v.string(),
    accountId: v.string(),
    channelId: v.string(),
    provider: v.string(),
    identity: v.record(v.string(), v.string()),
    revoke: v.boolean(),
  }),
})

/** A stored mail that somebody wants parsed once more. */
export const reparseSchema = v.object({
  reparse: v.object({ messageId: v.pipe(v.string(), v.minLength(1)) }),
})

/** Grants that may have gone unused for long: each is refreshed before the provider ends it. */
export const keepAliveSchema = v.object({
  keepAlive: v.pipe(v.array(v.pipe(v.string(), v.minLength(1))), v.minLength(1)),
})

/** Once a day: do the OAuth apps' secrets end soon? */
export const checkAppsSchema = v.object({ checkApps: v.literal(true) })
