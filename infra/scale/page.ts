/** infra/scale.md, made from what `npm run scale` recorded, from counted units and from the quotas. */

import { glanceLimits } from '../../functions/channel/imap-glance.ts'
import { dollars } from '../cost/composition.ts'
import { costOf } from '../cost/cost.ts'
import { atOnce, type Load, loadOf } from './load.ts'
import { heldAgainst, type Limit } from './quotas.ts'
import type { RecordedRun } from './recorded.ts'

const row = (cells: (string | number)[]) => `| ${cells.join(' | ')} |`

/** Three figures, as many as such an estimate has. */
function figure(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'never'
  const three = Number(value.toPrecision(3))
  return three.toLocaleString('en', { maximumFractionDigits: three < 10 ? 2 : 0 })
}

const minutesOf = ({ outage }: RecordedRun) => ({ usual: [5, outage.from], after: [outage.until] })

function mostOf(values: number[], [from, until]: number[]): number {
  return Math.max(...values.slice(from, until))
}

/** Minutes after the outage until no mailbox is read a minute too late any more. */
function minutesUntilInTime({ minutes, outage }: RecordedRun): number {
  return minutes.readLateMost.findLastIndex(seconds => seconds > 60) + 1 - outage.until
}

function sizeRows(runs: RecordedRun[]): string[] {
  const line = (what: string, value: (run: RecordedRun) => string | number, most: string | number = '') =>
    row([what, ...runs.map(value), most])
  const waiting = ({ minutes, outage }: RecordedRun) => minutes.waiting[outage.until - 1] ?? 0
  return [
    line('polls in the fullest usual minute', run => figure(mostOf(run.minutes.polls, minutesOf(run).usual))),
    line('SQS messages for them', run => figure(mostOf(run.minutes.batches, minutesOf(run).usual))),
    line("a mailbox's turn later than its interval, at most", run => `${run.latestTurnSeconds} s`, '60 s'),
    line('mailboxes forgotten', run => run.forgotten, 0),
    line(
      'polls in the fullest minute after the outage, to the usual',
      run =>
        (
          mostOf(run.minutes.polls, minutesOf(run).after) / mostOf(run.minutes.polls, minutesOf(run).usual)
        ).toFixed(2),
      1.25,
    ),
    line('minutes after the outage until all mailboxes have been read', minutesUntilInTime),
    line('hottest partition, read units a second', run => figure(run.hottestReads.units), '3,000'),
    line('hottest partition, write units a second', run => figure(run.hottestWrites.units), '1,000'),
    line('messages that wait at the end of the outage', run => figure(waiting(run))),
    line(
      'minutes until all of them are sent',
      ({ minutes, outage }) => minutes.waiting.slice(outage.until).indexOf(0) + 1,
    ),
    line('messages accepted and not sent at the end', ({ unsent }) => unsent, 0),
  ]
}

/** What comes first where account and table are no longer new. */
function firstOnes(load: Load): string {
  const first = heldAgainst(load).filter(({ limit }) => !limit.growsByItself)
  return first
    .slice(0, 5)
    .map(
      ({ limit, fullAt }, index) =>
        `${index + 1}. ${limit.name}${limit.source ? '' : ' (ours)'}: ${figure(fullAt)} mailboxes`,
    )
    .join('\n')
}

const named = ({ name, source }: Limit) => (source ? `[${name}](${source})` : `${name} (ours)`)
const what: Record<Limit['by'], string> = { waits: 'late', minute: 'refused', second: 'refused' }

function limitRows(load: Load): string[] {
  return heldAgainst(load).map(({ limit, usual, peak, fullAt }) =>
    row([
      named(limit),
      figure(limit.most),
      figure(usual),
      figure(peak),
      fullAt === Number.POSITIVE_INFINITY ? 'never' : `${figure(fullAt)}, ${what[limit.by]}`,
      limit.remedy,
    ]),
  )
}

/** Of the invocations that a provider holds up which answers nothing, how many want to run at once. */
function hanging({ minutes, outage }: RecordedRun): { first: number; last: number } {
  const seconds = glanceLimits.lifeMs / 1000
  const at = (minute: number) => ((minutes.hanging[minute] ?? 0) * seconds) / 60
  return { first: at(outage.from), last: at(outage.until - 1) }
}

export function renderScale(runs: RecordedRun[]): string {
  const largest = runs.at(-1)
  if (!largest) throw new Error('Nothing is recorded: npm run scale')
  const load = loadOf(largest)
  const { usual } = load
  const count = figure(largest.mailboxes)
  const { outage, minutes } = largest
  const running = atOnce(usual)
  const perWorkingDay = (inSecond: number) => (inSecond * 8 * 3600) / largest.mailboxes
  const traffic = { sentPerDay: perWorkingDay(usual.sent), receivedPerDay: perWorkingDay(usual.received) }
  const cost = costOf({ mailboxes: largest.mailboxes, intervalMinutes: largest.baseMinutes, ...traffic })
  const hung = hanging(largest)
  return `# How far it goes

\`npm run scale\` runs the deployed code that decides (\`functions/schedule\`, slots, outbox, poll interval, back-off) on a
simulated clock, over a table in memory that counts what DynamoDB would, and makes this page and its picture from what it saw
(\`infra/scale/recorded.json\`; some seven minutes, the same numbers each time). IMAP, SMTP, SQS and Lambda are played: their
own limits are held against it below. ${minutes.polls.length} simulated minutes, a base interval of ${largest.baseMinutes} minutes, one message a mailbox and working
day of eight hours; the provider of ${largest.awayShare * 100}% of the mailboxes is away from minute ${outage.from} to ${outage.until}. \`npm run bench -- simulate\` shows
other figures of it, for 100,000 mailboxes unless \`--scale 1\` is said.

![${count} mailboxes through an outage: reads, lateness, the hottest partitions and waiting messages, minute by minute](scale.svg)

| | ${runs.map(({ mailboxes }) => figure(mailboxes)).join(' | ')} | limit |
|---|${runs.map(() => '---|').join('')}---|
${sizeRows(runs).join('\n')}

The hottest partition of reads at ${count} is \`${largest.hottestReads.partition}\`, that of writes \`${largest.hottestWrites.partition}\`. All that \`schedule\` reads in a
minute is counted into one second, which is worse than what happens. A month of ${count} mailboxes that send
${figure(traffic.sentPerDay)} and receive ${figure(traffic.receivedPerDay)} mails a day costs $${figure(cost.usd)} at list prices, ${dollars(cost.usdPerMailbox)} each ([cost.md](cost.md)).

## What bends first

Once account and table are no longer new:

${firstOnes(load)}

Quotas are what AWS gives an account in a region before it is asked for more. "Usual" is before the outage; "peak" the fullest
second after it, or the fullest minute for what runs for seconds. Both are for ${count} mailboxes. "Full at" is where the peak
reaches the limit if it grows as the mailboxes do; where more waits in a queue and is late, where the usual does. What is refused
is tried again, a call of the API by whoever makes it. Units are counted (\`test/infra/cost-units.test.ts\`, \`test/infra/quota-units.test.ts\`), durations are those of
[cost.md](cost.md), and one webhook hears of every mail. The fullest seconds of all kinds are taken for the same one.

| limit | of it | usual | peak | full at | then |
|---|---|---|---|---|---|
${limitRows(load).join('\n')}

At ${count}, usually ${figure(running.fetch)} invocations of \`fetch\` run at once, ${figure(running.send)} of \`send\`, ${figure(running.notify)} of \`notify\` and ${figure(running.api)} of \`api\`.

**While a provider lets connections hang**, each poll waits up to ${glanceLimits.lifeMs / 1000} seconds: in the first minute ${figure(hung.first)} invocations would run at once, in
the last, when most mailboxes rest, ${figure(hung.last)}. \`pollConcurrency\` holds them to the provider's share; what does not fit waits, and is dropped
unread once its mailboxes' next turn has come. Other providers' polls, \`send\` and \`api\` do not wait for it as long as all shares
together stay below the account's concurrent executions. Connections to a provider are at most 50 for each of its share.

**SQS** takes as many calls as come for a standard queue, and a poll's delay of up to 50 seconds is far below its 15 minutes.

Not in it: what apps read of the API, attachments, X-Ray, and one account that has all the mailboxes, whose log of events is
one partition of an index (1,000 events a second).
`
}
