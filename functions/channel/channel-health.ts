/** What is stored of a channel's health: two axes, what led to them, and what is being tried. */

import * as v from 'valibot'
import type { Protocol } from './probe.ts'
import { integer } from './single-values.ts'

export const faultSchema = v.object({
  code: v.string(),
  actor: v.string(),
  summary: v.string(),
  evidence: v.nullable(v.string()),
})

/** Moved only by proof: a server's refusal with a fresh token, or the token endpoint's verdict. */
const authSchema = v.object({
  state: v.pipe(
    v.picklist(['connected', 'reconnect_required', 'blocked_by_admin', 'app_fault']),
    v.description(
      'Who must act: nobody; the owner, by signing in again; an administrator of the owner’s organization; or the operator, since the provider refuses the OAuth app itself. A channel whose owner or administrator must act shows that first.',
    ),
  ),
  fault: v.nullable(faultSchema),
  since: v.string(),
})

/** Whether a protocol may be used at all: what an administrator's setting forbids is not tried at every mail. */
export const accessSchema = v.object({
  state: v.picklist(['ok', 'blocked']),
  fault: v.nullable(faultSchema),
})

/**
 * What one protocol has suffered since it last worked; absent while it works. Each protocol rests for itself:
 * a mailbox that has sent enough for today is still read.
 */
const troubleSchema = v.object({
  fault: faultSchema,
  /** In a row. */
  failures: integer,
  since: v.string(),
  /** Not tried again before. */
  until: v.string(),
  /** A fault that is not believed yet, how often it was seen, and since when (`proof` in faults.ts). */
  doubt: v.nullable(v.object({ code: v.string(), count: integer, since: v.string() })),
})

export type Trouble = v.InferOutput<typeof troubleSchema>

/** One step of one axis. */
const stepSchema = v.object({
  at: v.string(),
  axis: v.picklist(['auth', 'connection']),
  protocol: v.nullable(v.picklist(['imap', 'smtp'])),
  from: v.string(),
  to: v.string(),
  /** A code of faults.ts, or `worked` and `consented`. */
  reason: v.string(),
  /** The server's own words, free of secrets. */
  evidence: v.nullable(v.string()),
})

export type Step = v.InferOutput<typeof stepSchema>

/** Login names that were tried since the list was begun, so that a mailbox is not hammered with names. */
const triedSchema = v.object({
  since: v.string(),
  lastAt: v.string(),
  imap: v.array(v.string()),
  smtp: v.array(v.string()),
})

/** Fields of a channel; those with a default are absent in channels that older versions stored. */
export const healthFields = {
  auth: authSchema,
  access: v.object({ imap: accessSchema, smtp: accessSchema }),
  imapTrouble: v.optional(v.nullable(troubleSchema), null),
  smtpTrouble: v.optional(v.nullable(troubleSchema), null),
  tried: v.optional(v.nullable(triedSchema), null),
  /** Newest last. */
  history: v.optional(v.array(stepSchema), []),
  /** Whether it was told that nothing was fetched for long. */
  isOverdueTold: v.optional(v.boolean(), false),
  /** Reminders told in this episode of `reconnect_required`. */
  reminders: v.optional(integer, 0),
  /** When `schedule` looks at the channel by itself: for a reminder, or because nothing is fetched. */
  wakeAt: v.optional(v.nullable(v.string()), null),
  /** Counts changes of all this, so that of two at the same time one looks again. */
  revision: v.optional(integer, 0),
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
export const connectionSchema = v.object({
  state: v.picklist(['ok', 'backing_off']),
  fault: v.nullable(faultSchema),
  since: v.nullable(v.string()),
  until: v.nullable(v.string()),
})

/** The axis as an app sees it: the longer rest of the two protocols. */
export function connectionOf(troubles: {
  imapTrouble: Trouble | null
  smtpTrouble: Trouble | null
}): v.InferOutput<typeof connectionSchema> {
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
