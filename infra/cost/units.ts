/**
 * What each thing that Postroom does uses. "Counted" is held true by test/infra/cost-units.test.ts, which counts over the
 * local engines and the sandbox's servers; "measured" is CPU, which no test asserts; what is assumed stands in assumptions.ts.
 */

import type { MetricName } from '../../functions/channel/metrics.ts'

/** Calls of AWS that wait for one another. Those made at once are one, and count for the slowest service among them. */
interface Rounds {
  s3: number
  /** SNS and SQS. */
  messaging: number
  kms: number
  dynamodb: number
}

export interface Used {
  /** Units of DynamoDB with what its indexes cost; texts of 2 KB, as of a letter. */
  reads: number
  writes: number
  s3Puts: number
  s3Gets: number
  snsPublishes: number
  kmsCalls: number
  rounds: Rounds
  /** How often a provider is waited for: TCP, TLS 1.3, greeting, sign-in, commands. */
  roundTrips: number
  /** Written to a provider, with TLS's own and without TCP's, the access token's and the mail's. */
  bytesOut: number
}

const nothing: Used = {
  reads: 0,
  writes: 0,
  s3Puts: 0,
  s3Gets: 0,
  snsPublishes: 0,
  kmsCalls: 0,
  rounds: { s3: 0, messaging: 0, kms: 0, dynamodb: 0 },
  roundTrips: 0,
  bytesOut: 0,
}

/** Counted. */
export const counted = {
  /** A mailbox with nothing new, its access token good, over IMAPS. */
  idlePoll: {
    ...nothing,
    reads: 3,
    rounds: { ...nothing.rounds, dynamodb: 3 },
    roundTrips: 5,
    bytesOut: 2_250,
  },
  /** What a mailbox without mail leaves every three hours, on top of the poll: that it was read. */
  readTime: { ...nothing, writes: 1, rounds: { ...nothing.rounds, dynamodb: 1 } },
  /** One new mail, on top of the poll that brings it. */
  receivedMail: {
    ...nothing,
    reads: 4,
    writes: 12,
    s3Puts: 2,
    snsPublishes: 1,
    rounds: { s3: 2, messaging: 1, kms: 0, dynamodb: 10 },
    roundTrips: 2,
    bytesOut: 160,
  },
  /** The API's call that accepts a message. */
  acceptedMail: {
    ...nothing,
    reads: 2,
    writes: 5,
    s3Puts: 2,
    rounds: { s3: 1, messaging: 1, kms: 0, dynamodb: 4 },
  },
  /** One message from its doorbell to its end, on a session of its own with STARTTLS. */
  sentMail: {
    ...nothing,
    reads: 4,
    writes: 12,
    s3Gets: 2,
    snsPublishes: 1,
    rounds: { s3: 2, messaging: 1, kms: 0, dynamodb: 12 },
    roundTrips: 9,
    bytesOut: 2_550,
  },
  /** What `schedule` does in a minute in which nothing is due. */
  minute: { ...nothing, reads: 16.5, writes: 1, rounds: { ...nothing.rounds, dynamodb: 3 } },
  /** An event that no webhook wants. */
  event: { ...nothing, reads: 1, rounds: { ...nothing.rounds, dynamodb: 1 } },
  /** One refresh of an access token; data keys are unwrapped for all mailboxes together, see `unwrapsPerHour`. */
  refresh: { ...nothing, reads: 3, writes: 2, rounds: { ...nothing.rounds, dynamodb: 4 } },
} satisfies Record<string, Used>

export type Work = keyof typeof counted

/**
 * Milliseconds of CPU in the deployed bundles, warm, on one thread of a shared x86 machine with two cores, Node 24, 2026-11-27:
 * `npm run bench -- cost`, the middle of two runs, which differed by a tenth at most; only for a mail received they were 21 and
 * 31. The AWS SDK's share is in it, over HTTP instead of HTTPS.
 */
export const measuredCpuMs: Record<Exclude<Work, 'readTime' | 'refresh'>, number> = {
  idlePoll: 8.2,
  receivedMail: 26,
  acceptedMail: 20,
  sentMail: 35,
  minute: 26,
  event: 4.8,
}

/** Counted: what a mail leaves in both tables and in the bucket, beside its raw bytes; texts of 2 KB and no attachment. */
export const leftBehind = {
  receivedMail: { tableBytes: 7_500, bucketBytes: 4_500 },
  sentMail: { tableBytes: 5_600, bucketBytes: 2_300 },
}

/** Counted: the metrics that each thing sends. The others count trouble. */
export const metricsOf = {
  minute: ['AppFaults', 'ChannelsOverdue', 'OldestDueSeconds'],
  idlePoll: ['PollsDone'],
  receivedMail: ['MailsReceived', 'ArrivalLagSeconds'],
  sentMail: ['MessagesSent', 'SecondsToSent'],
} satisfies Partial<Record<Work, MetricName[]>>

/** Counted in the synthesized template. */
export const inTemplate = {
  alarmMetrics: 28,
  dashboards: 1,
  kmsKeys: 2,
  rotatedKeys: 1,
  secrets: 1,
  queuesRead: 2,
  /** Those whose mapping has a maximum concurrency. */
  limitedQueuesRead: 3,
  logDays: 14,
}
