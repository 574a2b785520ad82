/** What Postroom costs in a month, from the stack's own numbers: counted units, memory, batch size and list prices. */

import { mailboxesPerBatch } from '../../functions/channel/slots.ts'
import { memoryMegabytes } from '../memory.ts'
import type { FunctionFolder } from '../privileges.ts'
import { alternatives, type PriceName, priceOf } from './prices.ts'
import { assumed, counted, inTemplate } from './units.ts'

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
export const customMetrics = 14

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

export function costOf(load: Load): Cost {
  const lines = Object.entries(quantitiesOf(load)).map(([key, quantity]) => {
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

function quantitiesOf({
  mailboxes,
  intervalMinutes,
  sentPerDay,
  receivedPerDay,
}: Load): Record<PriceName, number> {
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
  const invocations: Record<FunctionFolder, number> = {
    fetch: batches,
    send: sent,
    schedule: minutesPerMonth,
    notify: events,
    api: sent,
    connect: 0,
  }
  const seconds: Record<FunctionFolder, number> = {
    fetch: batches * assumed.secondsPerBatch + received * assumed.secondsPerReceived,
    send: sent * assumed.secondsPerSent,
    schedule: minutesPerMonth * assumed.secondsPerMinute,
    notify: events * assumed.secondsPerEvent,
    api: sent * assumed.secondsPerCall,
    connect: 0,
  }
  const folders = Object.keys(invocations) as FunctionFolder[]
  const sum = (of: (folder: FunctionFolder) => number) => folders.reduce((all, folder) => all + of(folder), 0)
  const allInvocations = sum(folder => invocations[folder])

  const used = (unit: keyof (typeof counted)['idlePoll']) =>
    polls * counted.idlePoll[unit] +
    readTimes * counted.readTime[unit] +
    received * counted.receivedMail[unit] +
    sent * counted.sentMail[unit] +
    refreshes * counted.refresh[unit] +
    minutesPerMonth * counted.minute[unit]

  return {
    lambdaGigabyteSeconds: sum(folder => (seconds[folder] * memoryMegabytes[folder]) / 1024),
    lambdaRequests: allInvocations,
    dynamodbReads: used('reads'),
    dynamodbWrites: used('writes'),
    // Each message of a queue is sent, received and deleted.
    sqsRequests: 3 * (batches + sent + events) + inTemplate.queuesRead * assumed.emptyReceivesPerQueue,
    snsPublishes: used('snsPublishes'),
    s3Puts: used('s3Puts'),
    s3Gets: used('s3Gets'),
    s3StoredBytes: events * assumed.bytesPerMail,
    httpCalls: sent,
    schedulerInvocations: minutesPerMonth,
    egressBytes: polls * assumed.egressBytesPerPoll + sent * assumed.bytesPerMail,
    logBytes: allInvocations * assumed.logBytesPerInvocation,
    kmsRequests:
      used('kmsCalls') + days * 24 * assumed.unwrapsPerHour * Math.max(1, perMinute / mailboxesPerBatch / 10),
    kmsKeys: inTemplate.kmsKeys,
    secrets: inTemplate.secrets,
    // An alarm over several queues is charged for each.
    alarms: inTemplate.alarmMetrics,
    customMetrics,
    dashboards: inTemplate.dashboards,
    traces: 0,
  }
}
