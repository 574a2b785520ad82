/** What goes through the queues, as whoever takes it out checks it. */

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
