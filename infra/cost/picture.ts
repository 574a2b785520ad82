/** infra/cost.svg: dollars a month against mailboxes, both on scales of powers of ten. Made from the calculation, by the byte. */

import { costOf } from './cost.ts'
import { alternatives } from './prices.ts'

const [width, height] = [880, 500]
const plot = { left: 78, right: 610, top: 64, bottom: 436 }
const [mostMailboxes, leastUsd, mostUsd] = [100_000, 5, 300_000]
/** As of the table in cost.md. */
const traffic = { sentPerDay: 5, receivedPerDay: 10 }
const pointsPerDecade = 40
const leastBetweenNames = 18

interface Curve {
  name: string
  color: string
  dashes?: string
  usd(mailboxes: number): number
}

const ofInterval = (intervalMinutes: number) => (mailboxes: number) =>
  costOf({ mailboxes, intervalMinutes, ...traffic }).usd
const [nylas, emailEngine] = alternatives

const curves: Curve[] = [
  { name: nylas.name, color: '#b3541e', dashes: '7 4', usd: nylas.monthlyUsd },
  { name: 'Postroom, every minute', color: '#0b3d91', usd: ofInterval(1) },
  { name: emailEngine.name, color: '#6b6b6b', dashes: '7 4', usd: emailEngine.monthlyUsd },
  { name: 'Postroom, every 5 minutes', color: '#2f6fd6', usd: ofInterval(5) },
  { name: 'Postroom, every 15 minutes', color: '#5a9bf0', usd: ofInterval(15) },
]

export function renderPicture(): string {
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" fill="#222">`,
    '<title>What so many mailboxes cost in a month</title>',
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${plot.left}" y="26" font-size="17" font-weight="600">What so many mailboxes cost in a month</text>`,
    `<text x="${plot.left}" y="46" fill="#555">US dollars at list prices; each mailbox sends ${traffic.sentPerDay} and receives ${traffic.receivedPerDay} mails a day</text>`,
    ...gridLines(),
    ...curves.map(lineOf),
    ...names(),
    `<text x="${(plot.left + plot.right) / 2}" y="${plot.bottom + 44}" text-anchor="middle" fill="#555">mailboxes</text>`,
    '</svg>',
  ]
  return `${lines.join('\n')}\n`
}

function x(mailboxes: number): number {
  const share = Math.log10(mailboxes) / Math.log10(mostMailboxes)
  return plot.left + share * (plot.right - plot.left)
}

function y(usd: number): number {
  const share = Math.log10(usd / leastUsd) / Math.log10(mostUsd / leastUsd)
  return plot.bottom - share * (plot.bottom - plot.top)
}

function gridLines(): string[] {
  const mailboxes = powersOfTen(1, mostMailboxes).flatMap(count => [
    `<path d="M${at(x(count))} ${plot.top}V${plot.bottom}" stroke="#e3e3e3"/>`,
    `<text x="${at(x(count))}" y="${plot.bottom + 20}" text-anchor="middle">${count.toLocaleString('en')}</text>`,
  ])
  const usd = powersOfTen(10, 100_000).flatMap(amount => [
    `<path d="M${plot.left} ${at(y(amount))}H${plot.right}" stroke="#e3e3e3"/>`,
    `<text x="${plot.left - 8}" y="${at(y(amount) + 4)}" text-anchor="end">$${amount.toLocaleString('en')}</text>`,
  ])
  return [...mailboxes, ...usd]
}

function powersOfTen(from: number, to: number): number[] {
  return Array.from({ length: Math.round(Math.log10(to / from)) + 1 }, (_, power) => from * 10 ** power)
}

function lineOf({ color, dashes, usd }: Curve): string {
  const count = pointsPerDecade * Math.log10(mostMailboxes)
  const points = Array.from({ length: count + 1 }, (_, index) => {
    const mailboxes = Math.round(10 ** (index / pointsPerDecade))
    return `${at(x(mailboxes))},${at(y(usd(mailboxes)))}`
  })
  const dashed = dashes ? ` stroke-dasharray="${dashes}"` : ''
  return `<polyline points="${points.join(' ')}" fill="none" stroke="${color}" stroke-width="2.5"${dashed}/>`
}

/** At the end of each line, in its colour, with what it comes to there; where two would lie on each other, one below. */
function names(): string[] {
  let lowest = 0
  return curves
    .map(({ name, color, usd }) => ({ name, color, end: usd(mostMailboxes) }))
    .toSorted((one, other) => other.end - one.end)
    .map(({ name, color, end }) => {
      lowest = Math.max(y(end) + 4, lowest + leastBetweenNames)
      const text = `${name}: $${Math.round(end).toLocaleString('en')}`
      return `<text x="${plot.right + 10}" y="${at(lowest)}" fill="${color}">${text}</text>`
    })
}

/** A tenth of a pixel: fine enough to look at, and the same whatever computes it. */
function at(value: number): string {
  return value.toFixed(1)
}
