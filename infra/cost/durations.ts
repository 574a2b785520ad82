/** How long a function runs for each thing it does: counted waits × assumed milliseconds + measured CPU ÷ its share of a CPU. */

import { memoryMegabytes } from '../memory.ts'
import type { FunctionFolder } from '../privileges.ts'
import type { Assumed } from './assumptions.ts'
import { counted, measuredCpuMs, type Work } from './units.ts'

/** @see https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html */
const megabytesOfOneCpu = 1_769

/**
 * Of the counted round trips, those that a provider thinks about. The others are TCP's, TLS's, a greeting or an EHLO, which
 * cost the way there and back; the test of the counts adds them up.
 */
export const thoughtAbout: Partial<Record<Work, { signIns: number; looks: number; handOvers: number }>> = {
  idlePoll: { signIns: 1, looks: 1, handOvers: 0 },
  receivedMail: { signIns: 0, looks: 2, handOvers: 0 },
  // The envelope is the look.
  sentMail: { signIns: 1, looks: 1, handOvers: 1 },
}

/** HTTPS anew: TCP, TLS 1.3, the request. */
const tokenRequestRoundTrips = 3

export interface Duration {
  /** For a provider, on the way and while it thinks. */
  providerMs: number
  /** For AWS, call after call. */
  awsMs: number
  /** With the share of a CPU that the function's memory brings. */
  cpuMs: number
}

export function durationOf(work: Work, folder: FunctionFolder, assumed: Assumed): Duration {
  const { rounds, roundTrips } = counted[work]
  const { signIns, looks, handOvers } = thoughtAbout[work] ?? { signIns: 0, looks: 0, handOvers: 0 }
  const onTheWay = roundTrips + (work === 'refresh' ? tokenRequestRoundTrips : 0)
  const thinks = signIns + (work === 'refresh' ? 1 : 0)
  const share = Math.min(1, memoryMegabytes[folder] / megabytesOfOneCpu)
  const cpuMs: Partial<Record<Work, number>> = { ...measuredCpuMs, refresh: assumed.refreshCpuMs }
  return {
    providerMs:
      onTheWay * assumed.providerRttMs +
      thinks * assumed.signInMs +
      looks * assumed.lookMs +
      handOvers * assumed.handOverMs,
    awsMs:
      rounds.dynamodb * assumed.dynamodbMs +
      rounds.s3 * assumed.s3Ms +
      (rounds.messaging + rounds.kms) * assumed.messagingMs,
    cpuMs: ((cpuMs[work] ?? 0) * assumed.cpuOfLambda) / share,
  }
}

export function secondsOf({ providerMs, awsMs, cpuMs }: Duration): number {
  return (providerMs + awsMs + cpuMs) / 1000
}

/** What `fetch` does in a month. */
export interface Polling {
  batches: number
  mailboxesPerBatch: number
  idlePoll: number
  readTime: number
  receivedMail: number
  refresh: number
}

/**
 * Mailboxes of a batch are polled at the same time, so that they wait together: one that refreshes its token or has mail
 * makes the batch as long as if several did. Their CPU adds up, as if none of it fell into the waiting: at most that long.
 */
export function secondsOfFetch(polling: Polling, assumed: Assumed): number {
  const works = ['idlePoll', 'readTime', 'receivedMail', 'refresh'] as const
  return works.reduce((seconds, work) => {
    const { providerMs, awsMs, cpuMs } = durationOf(work, 'fetch', assumed)
    const odds = 1 - (1 - Math.min(1, polling[work] / polling.idlePoll)) ** polling.mailboxesPerBatch
    const ms = polling.batches * odds * (providerMs + awsMs) + polling[work] * cpuMs
    return seconds + ms / 1000
  }, 0)
}
