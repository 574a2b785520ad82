/** The part of infra/cost.md that says what one mailbox costs that gets no mail, and why. */

import { assumed } from './assumptions.ts'
import { dollars, row } from './composition.ts'
import { costOf, longPollsOf } from './cost.ts'
import { type PriceName, priceOf } from './prices.ts'
import { inTemplate, metricsOf } from './units.ts'

/** One mailbox that nobody writes to, which is polled every hour. */
export const atRest = costOf({ mailboxes: 1, intervalMinutes: 60, sentPerDay: 0, receivedPerDay: 0 })

const { alarmMetrics, kmsKeys, queuesRead, limitedQueuesRead } = inTemplate

const reasons: Partial<Record<PriceName, string>> = {
  dashboards: 'The dashboard. Three of an account are free, with up to 50 metrics each',
  alarms: `${alarmMetrics} metrics with an alarm, at $0.10. Ten of an account are free`,
  kmsKeys: `${kmsKeys} keys: for tokens, and for webhooks' signatures`,
  sqsRequests: `Lambda looks into ${queuesRead + limitedQueuesRead} queues all the time`,
  customMetrics: `Metrics of our own, by the hour in which they are sent: ${metricsOf.minute.length + metricsOf.idlePoll.length} always, those of trouble in some hours, those of mail never`,
  secrets: 'The secret with the OAuth apps’ credentials',
}

export function renderAtRest(): string {
  const { lines, usd, usdAfterFreeTier } = atRest
  const named = lines.filter(({ name }) => reasons[name]).toSorted((one, other) => other.usd - one.usd)
  const others = lines.filter(({ name }) => !reasons[name])
  const sum = (of: typeof lines, what: 'usd' | 'usdAfterFreeTier') =>
    of.reduce((all, line) => all + line[what], 0)
  const bothOf = (of: typeof lines) => [dollars(sum(of, 'usd')), dollars(sum(of, 'usdAfterFreeTier'))]
  const watching = lines.filter(({ name }) => name === 'alarms' || name === 'dashboards')
  const withoutWatching = lines.filter(line => !watching.includes(line))
  return `## At rest

One mailbox without any mail: ${dollars(usd)} a month at list prices, ${dollars(usdAfterFreeTier)} where the free tier is not used up by others.

| | list price | with the free tier |
|---|---|---|
${named.map(line => row([reasons[line.name] ?? '', dollars(line.usd), dollars(line.usdAfterFreeTier)])).join('\n')}
${row(['The schedule of every minute, polls, logs and all else', ...bothOf(others)])}
${row(['all', dollars(usd), dollars(usdAfterFreeTier)])}

With \`operations.alarms\` and \`operations.dashboard\` off it is ${bothOf(withoutWatching).join(', or ')} with the free tier. A year later $${priceOf('kmsRotations', inTemplate.rotatedKeys, false).toFixed(2)}
is added, and another a year after that: the key of the tokens is rotated, and its first two rotations are paid for
(https://aws.amazon.com/kms/pricing/). A queue of its own for a provider in \`pollConcurrency\` is ${dollars(queueUsd())}, and $0.10 for its part of
the alarm. A budget (\`operations.monthlyBudgetUsd\`) costs nothing: AWS asks only for budgets that act by themselves.`
}

/** What one more queue with a maximum concurrency costs when nothing lies in it. */
function queueUsd(): number {
  return priceOf('sqsRequests', assumed.pollersOfLimitedQueue * longPollsOf(assumed), false)
}
