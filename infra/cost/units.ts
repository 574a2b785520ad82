/**
 * What each thing that Postroom does uses of AWS. "Counted" is held true by test/infra/cost-units.test.ts, which counts
 * the calls and the capacity over the local engines; "assumed" waits for a live account and says why it is thought so.
 */

/** Of DynamoDB with what its indexes cost; texts of 2 KB, as of a letter. */
interface Used {
  reads: number
  writes: number
  s3Puts: number
  s3Gets: number
  snsPublishes: number
  kmsCalls: number
}

/** Counted. */
export const counted = {
  /** A mailbox with nothing new, its access token good. */
  idlePoll: { reads: 3, writes: 0, s3Puts: 0, s3Gets: 0, snsPublishes: 0, kmsCalls: 0 },
  /** What a mailbox without mail leaves every three hours, on top of the poll: that it was read. */
  readTime: { reads: 0, writes: 1, s3Puts: 0, s3Gets: 0, snsPublishes: 0, kmsCalls: 0 },
  /** One new mail, on top of the poll that brings it. */
  receivedMail: { reads: 4, writes: 12, s3Puts: 2, s3Gets: 0, snsPublishes: 1, kmsCalls: 0 },
  /** One message from the API's answer to its end, on a session of its own. */
  sentMail: { reads: 5, writes: 17, s3Puts: 2, s3Gets: 2, snsPublishes: 1, kmsCalls: 0 },
  /** What `schedule` does in a minute in which nothing is due. */
  minute: { reads: 16.5, writes: 1, s3Puts: 0, s3Gets: 0, snsPublishes: 0, kmsCalls: 0 },
  /** One refresh of an access token; data keys are unwrapped for all mailboxes together, see `unwrapsPerHour`. */
  refresh: { reads: 3, writes: 2, s3Puts: 0, s3Gets: 0, snsPublishes: 0, kmsCalls: 0 },
} satisfies Record<string, Used>

/** Counted in the synthesized template. */
export const inTemplate = { alarmMetrics: 21, dashboards: 1, kmsKeys: 2, secrets: 1, queuesRead: 5 }

/** Assumed. */
export const assumed = {
  /** 50 idle polls at once took 0.7 s each and 3 ms CPU (imapflow, 2026-11); 2 s leave room for slow servers. */
  secondsPerBatch: 2,
  /** One new mail: fetch, parse, store. */
  secondsPerReceived: 0.3,
  /** Sign-in and hand-over at a provider, and the wait for its answer. */
  secondsPerSent: 3,
  secondsPerMinute: 0.5,
  secondsPerCall: 0.1,
  secondsPerEvent: 0.1,
  /** TLS handshake and an XOAUTH2 token of about 3 KB. */
  egressBytesPerPoll: 6_000,
  bytesPerMail: 75_000,
  /** Lambda's own three lines and the line of metrics. */
  logBytesPerInvocation: 1_500,
  /** Event source mapping: five pollers, three long polls a minute each; 30 days. $0.26 for each queue. */
  emptyReceivesPerQueue: 648_000,
  /** Access tokens of Microsoft live 60 to 90 minutes; a poll or a send refreshes them. */
  refreshesPerDay: 20,
  /** Data keys are cached for minutes by each execution environment. */
  unwrapsPerHour: 12,
}
