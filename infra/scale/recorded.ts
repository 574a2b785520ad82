/** What `npm run scale` saw and wrote into recorded.json: the simulation of test/bench/simulate.ts, minute by minute. */

/** What is recorded of each minute; units stand in test/support/simulated-minutes.ts. */
export const seriesNames = [
  'polls',
  'batches',
  'hanging',
  'moves',
  'waiting',
  'received',
  'sent',
  'refreshes',
  'readLateMiddle',
  'readLate99',
  'readLateMost',
  'scheduleReads',
  'hottestReads',
  'hottestWrites',
  'fullestPolls',
  'fullestReceived',
  'fullestSent',
  'fullestRefreshes',
] as const
export type SeriesName = (typeof seriesNames)[number]

interface Heat {
  /** Of one partition in one second. */
  units: number
  partition: string
}

export interface RecordedRun {
  mailboxes: number
  /** Of mailboxes with some traffic. */
  baseMinutes: number
  /** Minutes between which the provider of `awayShare` of the mailboxes is away. */
  outage: { from: number; until: number }
  awayShare: number
  forgotten: number
  /** Messages accepted and not sent at the end. */
  unsent: number
  /** A mailbox's turn, at most later than its interval. */
  latestTurnSeconds: number
  hottestReads: Heat
  hottestWrites: Heat
  minutes: Record<SeriesName, number[]>
}
