/** infra/cost.md, made from the calculation. */

import { renderAtRest } from './at-rest.ts'
import { dollars, renderComposition, row } from './composition.ts'
import { type Cost, costOf } from './cost.ts'
import { priceList, priceOf } from './prices.ts'

const traffic = { sentPerDay: 5, receivedPerDay: 10 }

/** One row a service. */
export function byService({ lines }: Cost): string[][] {
  const names = [...new Set(lines.map(({ service }) => service))]
  return names.flatMap(name => {
    const own = lines.filter(({ service }) => service === name)
    const sum = (of: 'usd' | 'usdAfterFreeTier') => own.reduce((all, line) => all + line[of], 0)
    return sum('usd') === 0 ? [] : [[name, dollars(sum('usd')), dollars(sum('usdAfterFreeTier'))]]
  })
}

export function renderCost(): string {
  const sizes = [1, 100, 1_000, 10_000, 100_000]
  const bySize = sizes.map(mailboxes => {
    const at = (intervalMinutes: number) => costOf({ mailboxes, intervalMinutes, ...traffic })
    const others = at(5).alternatives.map(({ usd }) => dollars(usd))
    const idle = costOf({ mailboxes, intervalMinutes: 5, sentPerDay: 0, receivedPerDay: 0 })
    const columns = [at(1), at(5), at(15)].map(({ usd }) => dollars(usd))
    return row([
      mailboxes.toLocaleString('en'),
      ...columns,
      dollars(idle.usd),
      dollars(at(5).usdAfterFreeTier),
      ...others,
    ])
  })
  const thousandLoad = { mailboxes: 1_000, intervalMinutes: 5, ...traffic }
  const thousand = costOf(thousandLoad)
  const calls = thousand.lines.find(({ name }) => name === 'lambdaRequests')?.quantity ?? 0
  const traced = priceOf('traces', calls, false)
  return `# What it costs

Made by \`npm run postroom -- cost\`'s own calculation and kept true by \`test/infra/cost.test.ts\`. List prices of ${priceList.region},
${priceList.date}, in US dollars a month of 30 days. Nothing here was measured on AWS: units and waits are counted over the local
engines, CPU is measured in the deployed bundles, and how long a wait lasts is assumed (below) until a live account says better.

## By size

Each mailbox sends ${traffic.sentPerDay} and receives ${traffic.receivedPerDay} mails of 75 KB a day; the mail of one month is stored. "Free" is what is left where
nothing else in the account uses AWS's lasting free tier.

| mailboxes | every minute | every 5 | every 15 | every 5, no mail | every 5, free | Nylas | EmailEngine on Fargate |
|---|---|---|---|---|---|---|---|
${bySize.join('\n')}

![Dollars a month against mailboxes, both on scales of powers of ten](cost.svg)

${thousand.alternatives.map(({ name, says, source }) => `- ${name}: ${says}. ${source}`).join('\n')}

${renderAtRest()}

## By service: 1,000 mailboxes every 5 minutes

| service | list price | with the free tier |
|---|---|---|
${byService(thousand).map(row).join('\n')}
| all | ${dollars(thousand.usd)} | ${dollars(thousand.usdAfterFreeTier)} |
| for each mailbox | ${dollars(thousand.usdPerMailbox)} | ${dollars(thousand.usdAfterFreeTier / 1_000)} |

Not in it: tracing (\`operations.tracing\`), for which with one trace an invocation X-Ray would take ${dollars(traced)} more; posts to
webhooks; what an app reads over the API; mail from before a mailbox was connected; cold starts, which Lambda bills as it does
other time (an environment lives for hours, so that they are cents). Prices rest on one source. Of AWS's own pages a
copy of KMS's was at hand, which says the same of keys and free calls, and CloudWatch's only as others quote it.

${renderComposition(thousandLoad)}`
}
