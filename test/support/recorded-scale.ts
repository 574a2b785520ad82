/** A simulation as infra/scale/recorded.json keeps it. */

import { type RecordedRun, type SeriesName, seriesNames } from '../../infra/scale/recorded.ts'
import { awayShare } from './simulated-mailboxes.ts'
import type { MinuteOf, Simulated, Simulation } from './simulated-minutes.ts'

const seriesOf: Record<SeriesName, (minute: MinuteOf) => number> = {
  polls: ({ polls }) => polls,
  batches: ({ batches }) => batches,
  hanging: ({ hanging }) => hanging,
  moves: ({ moves }) => moves,
  waiting: ({ waiting }) => waiting,
  received: ({ received }) => received,
  sent: ({ sent }) => sent,
  refreshes: ({ refreshes }) => refreshes,
  readLateMiddle: ({ readLate }) => readLate.middle,
  readLate99: ({ readLate }) => readLate.most99,
  readLateMost: ({ readLate }) => readLate.most,
  scheduleReads: ({ scheduleReads }) => scheduleReads,
  hottestReads: ({ hottestReads }) => hottestReads,
  hottestWrites: ({ hottestWrites }) => hottestWrites,
  fullestPolls: ({ fullest }) => fullest.polls,
  fullestReceived: ({ fullest }) => fullest.received,
  fullestSent: ({ fullest }) => fullest.sent,
  fullestRefreshes: ({ fullest }) => fullest.refreshes,
}

export function recordedOf(
  { mailboxes, baseMinutes, outage }: Simulation,
  { minutes, meter, lateMs, forgotten, messages }: Simulated,
): RecordedRun {
  const series = (name: SeriesName) => minutes.map(minute => Math.round(seriesOf[name](minute)))
  return {
    mailboxes,
    baseMinutes,
    outage,
    awayShare,
    forgotten,
    unsent: messages.accepted - messages.sent,
    latestTurnSeconds: Math.ceil((lateMs.at(-1) ?? 0) / 1000),
    hottestReads: meter.hottestReads,
    hottestWrites: meter.hottestWrites,
    minutes: Object.fromEntries(seriesNames.map(name => [name, series(name)])) as Record<
      SeriesName,
      number[]
    >,
  }
}
