/**
 * What alarms and the dashboard look at. One log line an invocation, in CloudWatch's embedded metric format, from
 * which CloudWatch makes the metrics; nothing calls its API. The only dimension is the name of the deployment: a
 * mailbox, an account or a provider as a dimension would make a metric of its own of each, at $0.30 a month.
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */

import { Metrics as EmbeddedMetrics, MetricUnit } from '@aws-lambda-powertools/metrics'

/** infra/alarms.ts and infra/dashboard.ts name them by these keys. */
export const metricUnits = {
  /** `message.sent` told. A repeat after a crash counts again, here and below. */
  MessagesSent: MetricUnit.Count,
  /** From when a message was to leave to when its server took it. */
  SecondsToSent: MetricUnit.Seconds,
  /** Looked for in Sent and not found, or nowhere to be looked for: nobody knows whether they left. */
  MessagesUncertain: MetricUnit.Count,
  MessagesParked: MetricUnit.Count,
  /** Also expired and cancelled. */
  MessagesFailed: MetricUnit.Count,
  /** Documents from the queue that were not taken in; they lie in the dead letters. */
  MessagesRejected: MetricUnit.Count,
  /** How long the message that has waited longest is overdue, every minute. */
  OldestDueSeconds: MetricUnit.Seconds,
  /** Channels with a message that is overdue for long (schedule/outbox-watch.ts), every minute; of very many, some. */
  ChannelsOverdue: MetricUnit.Count,
  MailsReceived: MetricUnit.Count,
  /** From a mail's arrival at its server to its event. Back-fill is left out. */
  ArrivalLagSeconds: MetricUnit.Seconds,
  /** Mailboxes looked at, with or without mail. */
  PollsDone: MetricUnit.Count,
  PollsFailed: MetricUnit.Count,
  /** Mailboxes whose owner was asked to reconnect; a reminder counts again. */
  PromptsRaised: MetricUnit.Count,
  /** OAuth apps that are refused, every minute; and one whenever an account is told, of that or of a secret that ends soon. */
  AppFaults: MetricUnit.Count,
  /** Work that failed for our own reasons: DynamoDB, S3, KMS, Secrets Manager, SNS or a bug; no mailbox is to blame. */
  InternalFaults: MetricUnit.Count,
} as const

export type MetricName = keyof typeof metricUnits

export const metricNamespace = 'Postroom'
/** Its value is the name of the deployment: two of one account must not add up. The library names it so. */
export const metricDimension = 'service'

export interface Metrics {
  add(name: MetricName, value?: number): void
  /** At the end of an invocation: writes what was added since, if anything was. */
  write(): void
}

/** @param system name of the deployment */
export function openMetrics({ system }: { system: string }): Metrics {
  // The library writes to stdout by itself: Lambda would wrap what goes through `console` and hide the format.
  const embedded = new EmbeddedMetrics({ namespace: metricNamespace, serviceName: system })
  return {
    add(name, value = 1) {
      embedded.addMetric(name, metricUnits[name], value)
    },
    write() {
      if (embedded.hasStoredMetrics()) embedded.publishStoredMetrics()
    },
  }
}
