/** What Postroom costs in a month, from the stack's own numbers: counted units, memory, batch size and list prices. */

import { mailboxesPerBatch } from '../../functions/channel/slots.ts'
import { memoryMegabytes } from '../memory.ts'
import type { FunctionFolder } from '../privileges.ts'
import { type Assumed, assumed as usual } from './assumptions.ts'
import { durationOf, secondsOf, secondsOfFetch } from './durations.ts'
import { alternatives, type PriceName, priceOf } from './prices.ts'
import { counted, inTemplate, type Used, type Work } from './units.ts'

export interface Load {
  mailboxes: number
  intervalMinutes: number
  /** By each mailbox. */
  sentPerDay: number
  receivedPerDay: number
}

interface Line {
  service: string
  /** Price list entry. */
  name: PriceName
  /** In a month of 30 days. */
  quantity: number
  usd: number
  /** Where nothing else in the account uses what AWS gives for free. */
  usdAfterFreeTier: number
}

export interface Cost {
  lines: Line[]
  usd: number
  usdAfterFreeTier: number
  usdPerMailbox: number
  alternatives: { name: string; says: string; source: string; usd: number }[]
}

const days = 30
const minutesPerMonth = days * 24 * 60
/** functions/channel/metrics.ts has as many; the test of the page compares. */
export const customMetrics = 15

const services: Record<PriceName, string> = {
  lambdaGigabyteSeconds: 'Lambda',
  lambdaRequests: 'Lambda',
  dynamodbReads: 'DynamoDB',
  dynamodbWrites: 'DynamoDB',
  sqsRequests: 'SQS',
  snsPublishes: 'SNS',
  s3Puts: 'S3',
  s3Gets: 'S3',
  s3StoredBytes: 'S3',
  httpCalls: 'API Gateway',
  schedulerInvocations: 'EventBridge Scheduler',
  egressBytes: 'Data out',
  logBytes: 'CloudWatch Logs',
  kmsRequests: 'KMS',
  kmsKeys: 'KMS',
  secrets: 'Secrets Manager',
  alarms: 'CloudWatch',
  customMetrics: 'CloudWatch',
  dashboards: 'CloudWatch',
  traces: 'X-Ray',
}

export function costOf(load: Load, assumed: Assumed = usual): Cost {
  const lines = Object.entries(quantitiesOf(load, assumed)).map(([key, quantity]) => {
    const name = key as PriceName
    const usdAfterFreeTier = priceOf(name, quantity, true)
    return { service: services[name], name, quantity, usd: priceOf(name, quantity, false), usdAfterFreeTier }
  })
  const total = (of: 'usd' | 'usdAfterFreeTier') => lines.reduce((sum, line) => sum + line[of], 0)
  return {
    lines,
    usd: total('usd'),
    usdAfterFreeTier: total('usdAfterFreeTier'),
    usdPerMailbox: total('usd') / load.mailboxes,
    alternatives: alternatives.map(({ monthlyUsd, ...other }) => ({
      ...other,
      usd: monthlyUsd(load.mailboxes),
    })),
  }
}

function quantitiesOf(
  { mailboxes, intervalMinutes, sentPerDay, receivedPerDay }: Load,
  assumed: Assumed,
): Record<PriceName, number> {
  const polls = (mailboxes * minutesPerMonth) / intervalMinutes
  // A minute's mailboxes are batched together: few of them do not fill a batch.
  const perMinute = mailboxes / intervalMinutes
  const fill = Math.min(mailboxesPerBatch, Math.max(1, perMinute))
  const batches = polls / fill
  const sent = mailboxes * sentPerDay * days
  const received = mailboxes * receivedPerDay * days
  // Of a mailbox that is polled less often than that, a token is not always refreshed.
  const refreshes = mailboxes * Math.min(assumed.refreshesPerDay, 1440 / intervalMinutes) * days
  const readTimes = mailboxes * Math.min(8, 1440 / intervalMinutes) * days
  const events = sent + received
  const times: Record<Work, number> = {
    idlePoll: polls,
    readTime: readTimes,
    receivedMail: received,
    acceptedMail: sent,
    sentMail: sent,
    minute: minutesPerMonth,
    event: events,
    refresh: refreshes,
  }
  const invocations: Record<FunctionFolder, number> = {
    fetch: batches,
    send: sent,
    schedule: minutesPerMonth,
    notify: events,
    api: sent,
    connect: 0,
  }
  const each = (work: Work, folder: FunctionFolder) =>
    times[work] * secondsOf(durationOf(work, folder, assumed))
  const seconds: Record<FunctionFolder, number> = {
    fetch: secondsOfFetch({ ...times, batches, mailboxesPerBatch: fill }, assumed),
    send: each('sentMail', 'send'),
    schedule: each('minute', 'schedule'),
    notify: each('event', 'notify'),
    api: each('acceptedMail', 'api'),
    connect: 0,
  }
  const folders = Object.keys(invocations) as FunctionFolder[]
  const sum = (of: (folder: FunctionFolder) => number) => folders.reduce((all, folder) => all + of(folder), 0)
  const allInvocations = sum(folder => invocations[folder])

  const works = Object.keys(times) as Work[]
  const used = (of: (used: Used) => number) =>
    works.reduce((all, work) => all + times[work] * of(counted[work]), 0)
  // XOAUTH2 is base64 (RFC 4648): four characters for three bytes.
  const signInBytes = (polls + sent) * Math.ceil((assumed.tokenBytes * 4) / 3)

  return {
    lambdaGigabyteSeconds: sum(folder => (seconds[folder] * memoryMegabytes[folder]) / 1024),
    lambdaRequests: allInvocations,
    dynamodbReads: used(({ reads }) => reads),
    dynamodbWrites: used(({ writes }) => writes),
    // Each message of a queue is sent, received and deleted.
    sqsRequests: 3 * (batches + sent + events) + inTemplate.queuesRead * assumed.emptyReceivesPerQueue,
    snsPublishes: used(({ snsPublishes }) => snsPublishes),
    s3Puts: used(({ s3Puts }) => s3Puts),
    s3Gets: used(({ s3Gets }) => s3Gets),
    s3StoredBytes: events * assumed.mailBytes,
    httpCalls: sent,
    schedulerInvocations: minutesPerMonth,
    egressBytes:
      used(({ bytesOut }) => bytesOut) +
      used(({ roundTrips }) => roundTrips) * assumed.packetBytes +
      signInBytes +
      refreshes * assumed.refreshBytes +
      sent * assumed.mailBytes,
    logBytes: allInvocations * assumed.logBytes,
    kmsRequests:
      used(({ kmsCalls }) => kmsCalls) +
      days * 24 * assumed.unwrapsPerHour * Math.max(1, perMinute / mailboxesPerBatch / 10),
    kmsKeys: inTemplate.kmsKeys,
    secrets: inTemplate.secrets,
    // An alarm over several queues is charged for each.
    alarms: inTemplate.alarmMetrics,
    customMetrics,
    dashboards: inTemplate.dashboards,
    traces: 0,
  }
}
