/** From a recorded run: what happens in a second, usually and at the worst after the outage, and what runs at once. */

import { mailboxesPerBatch } from '../../functions/channel/slots.ts'
import { assumed } from '../cost/assumptions.ts'
import { durationOf, secondsOf, secondsOfFetch } from '../cost/durations.ts'
import type { RecordedRun, SeriesName } from './recorded.ts'

/** In a second. */
export interface Rates {
  polls: number
  batches: number
  /** Slots that moved. */
  moves: number
  /** Mails that came, mails that went. */
  received: number
  sent: number
  /** Messages that apps hand over; an outage of a provider does not change it. */
  accepted: number
  /** Mailboxes that are marked as read though they had no mail: each every three hours. */
  readTimes: number
  /** Access tokens that had run out. */
  refreshes: number
  /** Read units by which `schedule` finds what is due. */
  scheduleReads: number
  /** Units of the one partition that is read and written most. */
  hottestReads: number
  hottestWrites: number
}

export interface Load {
  run: RecordedRun
  /** Before the outage, in the middle of all seconds; the hottest partition in its fullest second of each minute. */
  usual: Rates
  /** As if the fullest minute of each kind were the same one: for what lasts for seconds. */
  minute: Rates
  /** The same of the fullest second: for what is refused beyond a rate. */
  second: Rates
}

/** All mailboxes begin at the same moment, and nobody's token has run out: it takes a while until that is evened out. */
const usualFrom = 10

export function loadOf(run: RecordedRun): Load {
  const { minutes, outage } = run
  const from = (name: SeriesName) => minutes[name].slice(usualFrom)
  const inUsual = (name: SeriesName) => {
    const values = minutes[name].slice(usualFrom, outage.from)
    return values.reduce((sum, one) => sum + one, 0) / values.length
  }
  const most = (name: SeriesName) => Math.max(...from(name))
  const ratesBy = (inMinute: (name: SeriesName) => number): Rates => ({
    hottestReads: inMinute('hottestReads'),
    hottestWrites: inMinute('hottestWrites'),
    polls: inMinute('polls') / 60,
    batches: inMinute('batches') / 60,
    moves: inMinute('moves') / 60,
    received: inMinute('received') / 60,
    accepted: inUsual('sent') / 60,
    readTimes: run.mailboxes / (3 * 3600),
    sent: inMinute('sent') / 60,
    refreshes: inMinute('refreshes') / 60,
    scheduleReads: inMinute('scheduleReads') / 60,
  })
  return {
    run,
    usual: ratesBy(inUsual),
    minute: ratesBy(most),
    second: {
      ...ratesBy(most),
      polls: most('fullestPolls'),
      received: most('fullestReceived'),
      sent: most('fullestSent'),
      refreshes: most('fullestRefreshes'),
      // All at once, which is worse than what happens.
      scheduleReads: most('scheduleReads'),
    },
  }
}

/** Events that the topic tells. */
export const eventsOf = ({ received, sent }: Rates) => received + sent

/** How many invocations of each function run at once: what comes in a second, times how long it takes. */
export function atOnce(rates: Rates): { fetch: number; send: number; notify: number; api: number } {
  const { polls, batches, received, refreshes, sent, accepted } = rates
  const polling = {
    batches,
    mailboxesPerBatch,
    idlePoll: polls,
    readTime: 0,
    receivedMail: received,
    refresh: refreshes,
  }
  return {
    // Seconds in a second.
    fetch: polls === 0 ? 0 : secondsOfFetch(polling, assumed),
    // As if each message came alone; where many wait, up to ten share an invocation.
    send: sent * secondsOf(durationOf('sentMail', 'send', assumed)),
    notify: eventsOf(rates) * secondsOf(durationOf('event', 'notify', assumed)),
    api: accepted * secondsOf(durationOf('acceptedMail', 'api', assumed)),
  }
}

export function allAtOnce(rates: Rates): number {
  return Object.values(atOnce(rates)).reduce((sum, one) => sum + one, 0)
}

/** Each invocation of a function. */
export function invocations(rates: Rates): number {
  return rates.batches + rates.accepted + rates.sent + eventsOf(rates)
}
