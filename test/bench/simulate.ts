/** Growth to a million mailboxes on a simulated clock, with an outage in the middle: heat, lateness, herd, units. */

import { partitionLimits } from '../support/metered-table.ts'
import { type Simulated, simulate } from '../support/simulated-minutes.ts'
import type { Benchmark, Figure } from './figures.ts'

const usualMailboxes = 1_000_000
/** How long, and when 70% of the mailboxes are away; what is recorded for infra/scale.md is the same. */
export const setting = { minutes: 70, outage: { from: 20, until: 40 }, baseMinutes: 5 }
const { minutes, outage, baseMinutes } = setting

export const simulating: Benchmark = {
  title: `mailboxes polled every ${baseMinutes} minutes, ${minutes} simulated minutes, 70% of them away from minute ${outage.from} to ${outage.until}`,

  async run(progress, scale) {
    const largest = Math.round(usualMailboxes * scale)
    const figures: Figure[] = []
    for (const mailboxes of [...new Set([largest / 100, largest / 10, largest].map(Math.round))]) {
      if (mailboxes < 100) continue
      const say = (line: string) => progress(`${mailboxes} mailboxes, ${line}`)
      figures.push(...figuresOf(mailboxes, await simulate({ mailboxes, ...setting, progress: say })))
    }
    return figures
  },
}

function figuresOf(
  mailboxes: number,
  { minutes: all, meter, lateMs, forgotten, messages }: Simulated,
): Figure[] {
  const usual = all.slice(5, outage.from)
  const after = all.slice(outage.until)
  const most = (list: typeof all, of: 'polls' | 'moves' | 'batches' | 'rings') =>
    Math.max(...list.map(one => one[of]))
  const late = (share: number) => (lateMs[Math.floor((lateMs.length - 1) * share)] ?? Number.NaN) / 1000
  const backlog = all[outage.until - 1]?.waiting ?? 0
  const drained = after.findIndex(({ waiting }) => waiting === 0)
  const polls = all.reduce((sum, one) => sum + one.polls, 0)
  const figures: Figure[] = [
    { what: 'polls in the fullest usual minute', value: most(usual, 'polls'), unit: 'count' },
    { what: 'SQS messages for them', value: most(usual, 'batches'), unit: 'count' },
    {
      what: 'polls in the fullest minute after the outage, to that',
      value: most(after, 'polls') / most(usual, 'polls'),
      unit: 'ratio',
      atMost: 1.25,
    },
    { what: 'slots moved in the fullest minute', value: most(all, 'moves'), unit: 'count' },
    { what: 'poll later than its interval, middle', value: late(0.5), unit: 's' },
    { what: 'poll later than its interval, 99 of 100', value: late(0.99), unit: 's' },
    { what: 'poll later than its interval, at most', value: late(1), unit: 's', atMost: 60 },
    { what: 'mailboxes forgotten', value: forgotten, unit: 'count', atMost: 0 },
    {
      what: 'hottest partition, read units a second',
      value: meter.hottestReads.units,
      unit: 'count',
      atMost: partitionLimits.reads,
    },
    {
      what: 'hottest partition, write units a second',
      value: meter.hottestWrites.units,
      unit: 'count',
      atMost: partitionLimits.writes,
    },
    { what: 'messages that wait at the end of the outage', value: backlog, unit: 'count' },
    { what: 'channels rung in the fullest minute', value: most(all, 'rings'), unit: 'count' },
    {
      what: 'minutes until none waits (-1: not within the run)',
      value: drained < 0 ? -1 : drained + 1,
      unit: 'count',
    },
    {
      what: 'messages accepted and not sent at the end',
      value: messages.accepted - messages.sent,
      unit: 'count',
      atMost: 0,
    },
    { what: 'read units a poll (slots, outbox, sending)', value: meter.readUnits / polls, unit: 'ratio' },
    { what: 'write units a poll (slots, outbox, sending)', value: meter.writeUnits / polls, unit: 'ratio' },
  ]
  const { partition: read } = meter.hottestReads
  const { partition: written } = meter.hottestWrites
  return figures.map(figure => ({
    ...figure,
    what: `${mailboxes}: ${figure.what}${figure.what.startsWith('hottest') ? ` (${figure.what.includes('read') ? read : written})` : ''}`,
  }))
}
