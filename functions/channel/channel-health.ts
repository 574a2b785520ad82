/** What is stored of a channel's health: two axes, what led to them, and what is being tried. */

import * as z from 'zod'
import type { Protocol } from './probe.ts'

export const faultSchema = z.object({
  code: z.string(),
  actor: z.string(),
  summary: z.string(),
  evidence: z.string().nullable(),
})

/** Moved only by proof: a server's refusal with a fresh token, or the token endpoint's verdict. */
const authSchema = z.object({
  state: z
    .enum(['connected', 'reconnect_required', 'blocked_by_admin', 'app_fault'])
    .describe(
      'Who must act: nobody; the owner, by signing in again; an administrator of the owner’s organization; or the operator, since the provider refuses the OAuth app itself. A channel whose owner or administrator must act shows that first.',
    ),
  fault: faultSchema.nullable(),
  since: z.string(),
})

/** Whether a protocol may be used at all: what an administrator's setting forbids is not tried at every mail. */
export const accessSchema = z.object({
  state: z.enum(['ok', 'blocked']),
  fault: faultSchema.nullable(),
})

/**
 * What one protocol has suffered since it last worked; absent while it works. Each protocol rests for itself:
 * a mailbox that has sent enough for today is still read.
 */
const troubleSchema = z.object({
  fault: faultSchema,
  /** In a row. */
  failures: z.int(),
  since: z.string(),
  /** Not tried again before. */
  until: z.string(),
  /** A fault that is not believed yet, how often it was seen, and since when (`proof` in faults.ts). */
  doubt: z.object({ code: z.string(), count: z.int(), since: z.string() }).nullable(),
})

export type Trouble = z.infer<typeof troubleSchema>

/** One step of one axis. */
const stepSchema = z.object({
  at: z.string(),
  axis: z.enum(['auth', 'connection']),
  protocol: z.enum(['imap', 'smtp']).nullable(),
  from: z.string(),
  to: z.string(),
  /** A code of faults.ts, or `worked` and `consented`. */
  reason: z.string(),
  /** The server's own words, free of secrets. */
  evidence: z.string().nullable(),
})

export type Step = z.infer<typeof stepSchema>

/** Login names that were tried since the list was begun, so that a mailbox is not hammered with names. */
const triedSchema = z.object({
  since: z.string(),
  lastAt: z.string(),
  imap: z.array(z.string()),
  smtp: z.array(z.string()),
})

/** Fields of a channel; those with a default are absent in channels that older versions stored. */
export const healthFields = {
  auth: authSchema,
  access: z.object({ imap: accessSchema, smtp: accessSchema }),
  imapTrouble: troubleSchema.nullable().default(null),
  smtpTrouble: troubleSchema.nullable().default(null),
  tried: triedSchema.nullable().default(null),
  /** Newest last. */
  history: z.array(stepSchema).default([]),
  /** Whether it was told that nothing was fetched for long. */
  isOverdueTold: z.boolean().default(false),
  /** Reminders told in this episode of `reconnect_required`. */
  reminders: z.int().default(0),
  /** When `schedule` looks at the channel by itself: for a reminder, or because nothing is fetched. */
  wakeAt: z.string().nullable().default(null),
  /** Counts changes of all this, so that of two at the same time one looks again. */
  revision: z.int().default(0),
}

/** As a fresh consent leaves it. */
export const untroubled = {
  imapTrouble: null,
  smtpTrouble: null,
  tried: null,
  isOverdueTold: false,
  reminders: 0,
  wakeAt: null,
}

/** Moved by time-outs, throttles and outages; never a reason to prompt anybody. */
export const connectionSchema = z.object({
  state: z.enum(['ok', 'backing_off']),
  fault: faultSchema.nullable(),
  since: z.string().nullable(),
  until: z.string().nullable(),
})

/** The axis as an app sees it: the longer rest of the two protocols. */
export function connectionOf(troubles: {
  imapTrouble: Trouble | null
  smtpTrouble: Trouble | null
}): z.infer<typeof connectionSchema> {
  const { imapTrouble, smtpTrouble } = troubles
  const [worst] = [imapTrouble, smtpTrouble]
    .filter(trouble => trouble !== null)
    .sort((a, b) => (a.until < b.until ? 1 : -1))
  return worst
    ? { state: 'backing_off', fault: worst.fault, since: worst.since, until: worst.until }
    : { state: 'ok', fault: null, since: null, until: null }
}

/** @returns until when this protocol is left in peace, or null if it may be tried now */
export function restsUntil(
  channel: { imapTrouble: Trouble | null; smtpTrouble: Trouble | null },
  protocol: Protocol,
  nowMs: number,
): string | null {
  const until = channel[`${protocol}Trouble`]?.until ?? null
  return until !== null && Date.parse(until) > nowMs ? until : null
}

/** Of each axis this many steps are kept. */
const keptSteps = 10

export function withStep(history: Step[], step: Step): Step[] {
  const kept = (axis: Step['axis']) => [...history, step].filter(s => s.axis === axis).slice(-keptSteps)
  return [...kept('auth'), ...kept('connection')].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0))
}
