/** How often each thing happens in a month, and who does it. */

import { mailboxesPerBatch } from '../../functions/channel/slots.ts'
import type { FunctionFolder } from '../privileges.ts'
import type { Assumed } from './assumptions.ts'
import type { Work } from './units.ts'

export interface Load {
  mailboxes: number
  intervalMinutes: number
  /** By each mailbox. */
  sentPerDay: number
  receivedPerDay: number
}

export const days = 30
export const hours = days * 24
const minutes = hours * 60
const minutesOfDay = 24 * 60
/** functions/fetch/mailbox.ts leaves the time of an idle poll every three hours. */
const readTimesOfDay = 8

export interface Month {
  times: Record<Work, number>
  /** Messages told of, in and out. */
  events: number
  batches: number
  mailboxesOfBatch: number
  invocations: Record<FunctionFolder, number>
  /** Of `fetch` at the same time, each with what it keeps for itself. */
  environments: number
}

export function monthOf(load: Load, assumed: Assumed): Month {
  const { mailboxes, intervalMinutes, sentPerDay, receivedPerDay } = load
  const polls = (mailboxes * minutes) / intervalMinutes
  // A minute's mailboxes are batched together: few of them do not fill a batch.
  const perMinute = mailboxes / intervalMinutes
  const mailboxesOfBatch = Math.min(mailboxesPerBatch, Math.max(1, perMinute))
  const batches = polls / mailboxesOfBatch
  const sent = mailboxes * sentPerDay * days
  const received = mailboxes * receivedPerDay * days
  // No more often than it is polled.
  const ofPolls = (timesOfDay: number) =>
    mailboxes * Math.min(timesOfDay, minutesOfDay / intervalMinutes) * days
  const events = sent + received
  return {
    times: {
      idlePoll: polls,
      readTime: ofPolls(readTimesOfDay),
      receivedMail: received,
      acceptedMail: sent,
      sentMail: sent,
      minute: minutes,
      event: events,
      refresh: ofPolls(assumed.refreshesPerDay),
    },
    events,
    batches,
    mailboxesOfBatch,
    invocations: {
      fetch: batches,
      send: sent,
      schedule: minutes,
      notify: events,
      api: sent,
      connect: 0,
    },
    // Ten batches of a minute, of two to three seconds each, hardly meet.
    environments: Math.max(1, perMinute / mailboxesPerBatch / 10),
  }
}
