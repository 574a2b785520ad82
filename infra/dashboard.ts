/** One page for whoever was woken: what users feel on top, what it rests on below. */

import { Duration } from 'aws-cdk-lib'
import { Dashboard, GraphWidget, type IMetric } from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import type { MetricName } from '../functions/channel/metrics.ts'
import { httpMetric, ownMetric, type Watched } from './alarms.ts'

export function makeDashboard(scope: Construct, watched: Watched): void {
  const { functions, queues, systemName } = watched
  const own = (name: MetricName, statistic?: string) => ownMetric(name, { systemName, statistic })
  const graph = (title: string, left: IMetric[], right: IMetric[] = []) =>
    new GraphWidget({ title, left, right, width: 8, height: 6 })
  const workers = [functions.send, functions.fetch, functions.schedule, functions.notify]
  const polls = [queues.poll.main, ...Object.values(queues.pollOf)]
  const mains = [queues.outbound.main, ...polls, queues.notifications.main]
  const deadLetters = [queues.outbound, queues.poll, queues.notifications].map(queue => queue.deadLetters)
  const period = Duration.minutes(5)

  new Dashboard(scope, 'Dashboard', {
    dashboardName: systemName,
    defaultInterval: Duration.days(1),
    widgets: [
      [
        graph('Mail out: seconds from due to sent', [
          own('SecondsToSent', 'p50'),
          own('SecondsToSent', 'p99'),
        ]),
        graph('Mail out: how it ended', [
          own('MessagesSent'),
          own('MessagesFailed'),
          own('MessagesUncertain'),
          own('MessagesParked'),
          own('MessagesRejected'),
        ]),
        graph(
          'Mail out: oldest overdue, seconds',
          [own('OldestDueSeconds', 'Maximum')],
          [own('ChannelsOverdue', 'Maximum')],
        ),
      ],
      [
        graph('Mail in: seconds from arrival to event', [
          own('ArrivalLagSeconds', 'p50'),
          own('ArrivalLagSeconds', 'p99'),
        ]),
        graph('Mail in: mails', [own('MailsReceived')]),
        graph('Mail in: polls', [own('PollsDone'), own('PollsFailed')]),
      ],
      [
        graph('Asked of people', [own('PromptsRaised'), own('AppFaults', 'Maximum')]),
        graph('HTTP', [httpMetric('Count', watched), httpMetric('4xx', watched), httpMetric('5xx', watched)]),
        graph('Our own trouble', [own('InternalFaults'), ...workers.map(fn => fn.metricErrors({ period }))]),
      ],
      [
        graph(
          'Queues: oldest message, seconds',
          mains.map(queue => queue.metricApproximateAgeOfOldestMessage({ period })),
        ),
        graph(
          'Dead letters',
          deadLetters.map(queue => queue.metricApproximateNumberOfMessagesVisible({ period })),
        ),
        graph(
          'Functions: longest run, milliseconds',
          workers.map(fn => fn.metricDuration({ period, statistic: 'Maximum' })),
        ),
      ],
    ],
  })
}
