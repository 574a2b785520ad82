/** What Postroom costs in a month, from the stack's own numbers: counted units, memory, batch size and list prices. */

import { metricUnits } from '../../functions/channel/metrics.ts'
import { memoryMegabytes } from '../memory.ts'
import type { FunctionFolder } from '../privileges.ts'
import { type Assumed, assumed as usual } from './assumptions.ts'
import { durationOf, secondsOf, secondsOfFetch } from './durations.ts'
import { days, hours, type Load, monthOf } from './month.ts'
import { alternatives, type PriceName, priceOf } from './prices.ts'
import { counted, inTemplate, leftBehind, metricsOf, type Used, type Work } from './units.ts'

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

const services: Record<PriceName, string> = {
  lambdaGigabyteSeconds: 'Lambda',
  lambdaRequests: 'Lambda',
  dynamodbReads: 'DynamoDB',
  dynamodbWrites: 'DynamoDB',
  dynamodbStoredBytes: 'DynamoDB',
  dynamodbRecoveryBytes: 'DynamoDB',
  sqsRequests: 'SQS',
  snsPublishes: 'SNS',
  s3Puts: 'S3',
  s3Gets: 'S3',
  s3StoredBytes: 'S3',
  httpCalls: 'API Gateway',
  schedulerInvocations: 'EventBridge Scheduler',
  egressBytes: 'Data out',
  logBytes: 'CloudWatch Logs',
  logStoredBytes: 'CloudWatch Logs',
  kmsRequests: 'KMS',
  kmsKeys: 'KMS',
  kmsRotations: 'KMS',
  secretReads: 'Secrets Manager',
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

function quantitiesOf(load: Load, assumed: Assumed): Record<PriceName, number> {
  const { times, events, batches, mailboxesOfBatch, invocations, environments } = monthOf(load, assumed)
  const each = (work: Work, folder: FunctionFolder) =>
    times[work] * secondsOf(durationOf(work, folder, assumed))
  const seconds: Record<FunctionFolder, number> = {
    fetch: secondsOfFetch({ ...times, batches, mailboxesPerBatch: mailboxesOfBatch }, assumed),
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
  const storedBytes = (of: 'tableBytes' | 'bucketBytes') =>
    assumed.monthsStored *
    (times.receivedMail * leftBehind.receivedMail[of] + times.sentMail * leftBehind.sentMail[of])
  const mailBytes = events * assumed.mailBytes * (1 + assumed.attachedShare)
  const pollers =
    inTemplate.queuesRead * assumed.pollersOfQueue +
    inTemplate.limitedQueuesRead * assumed.pollersOfLimitedQueue
  // XOAUTH2 is base64 (RFC 4648): four characters for three bytes.
  const signInBytes = (times.idlePoll + times.sentMail) * Math.ceil((assumed.tokenBytes * 4) / 3)

  return {
    lambdaGigabyteSeconds: sum(folder => (seconds[folder] * memoryMegabytes[folder]) / 1024),
    lambdaRequests: allInvocations,
    dynamodbReads: used(({ reads }) => reads),
    dynamodbWrites: used(({ writes }) => writes),
    // Each message of a queue is sent, received and deleted.
    sqsRequests: 3 * (batches + times.sentMail + events) + pollers * longPollsOf(assumed),
    dynamodbStoredBytes: storedBytes('tableBytes'),
    dynamodbRecoveryBytes: storedBytes('tableBytes'),
    snsPublishes: used(({ snsPublishes }) => snsPublishes),
    s3Puts: used(({ s3Puts }) => s3Puts) + events * assumed.attachmentsPerMail,
    s3Gets: used(({ s3Gets }) => s3Gets),
    s3StoredBytes: assumed.monthsStored * mailBytes + storedBytes('bucketBytes'),
    httpCalls: times.acceptedMail,
    schedulerInvocations: times.minute,
    egressBytes:
      used(({ bytesOut }) => bytesOut) +
      used(({ roundTrips }) => roundTrips) * assumed.packetBytes +
      signInBytes +
      times.refresh * assumed.refreshBytes +
      times.sentMail * assumed.mailBytes,
    logBytes: allInvocations * assumed.logBytes,
    logStoredBytes: (allInvocations * assumed.logBytes * inTemplate.logDays) / days,
    kmsRequests: used(({ kmsCalls }) => kmsCalls) + hours * assumed.unwrapsPerHour * environments,
    kmsKeys: inTemplate.kmsKeys,
    // Of the first year; see the page.
    kmsRotations: 0,
    secretReads: Math.min(times.refresh, hours * assumed.secretReadsPerHour * environments),
    secrets: inTemplate.secrets,
    // An alarm over several queues is charged for each.
    alarms: inTemplate.alarmMetrics,
    customMetrics: metricMonths(times, assumed),
    dashboards: inTemplate.dashboards,
    traces: 0,
  }
}

/** A metric costs by the hour in which it is sent. Minutes and polls come regularly, mails by chance. */
function metricMonths(times: Record<Work, number>, assumed: Assumed): number {
  const share = (work: Work) => {
    const perHour = times[work] / hours
    return work === 'minute' || work === 'idlePoll' ? Math.min(1, perHour) : 1 - Math.exp(-perHour)
  }
  const ofWork = Object.entries(metricsOf).map(([work, names]) => names.length * share(work as Work))
  const ofTrouble = Object.keys(metricUnits).length - Object.values(metricsOf).flat().length
  return ofWork.reduce((sum, months) => sum + months, ofTrouble * assumed.troubledHours)
}

/** How often one poller of Lambda's asks an empty queue in a month. */
export function longPollsOf({ longPollSeconds }: Assumed): number {
  return (hours * 3600) / longPollSeconds
}
