/** `cost`: what so many mailboxes cost in a month, by service; asks nobody, and needs no account. */

import { mailboxesPerBatch, pollIntervals } from '../../functions/channel/slots.ts'
import { type Assumed, assumptionNames, saysOf, assumed as usual } from '../cost/assumptions.ts'
import { changeOf, dollars } from '../cost/composition.ts'
import { type Cost, costOf } from '../cost/cost.ts'
import { durations, weights } from '../cost/explain.ts'
import type { Load } from '../cost/month.ts'
import { byService } from '../cost/page.ts'
import { priceList } from '../cost/prices.ts'
import { command, exitCodes, UsageError } from './command.ts'
import type { Terminal } from './terminal.ts'

function numberOf(name: string, text: string | undefined, fallback: number, least: number): number {
  if (text === undefined) return fallback
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN
  if (!(value >= least && value <= 10_000_000))
    throw new UsageError(`--${name} must be a number from ${least} to 10000000; found: ${text}`)
  return value
}

function intervalOf(text = '5m'): number {
  const minutes = Number(/^(\d+)m?$/.exec(text)?.[1])
  if (!pollIntervals.some(one => one === minutes))
    throw new UsageError(
      `--interval must be one of ${pollIntervals.map(one => `${one}m`).join(', ')}; found: ${text}`,
    )
  return minutes
}

function assumedOf(texts: string[] = []): Assumed {
  const changed = { ...usual }
  for (const text of texts) {
    const [said, number] = text.split('=')
    const name = assumptionNames.find(one => one === said)
    if (name === undefined)
      throw new UsageError(
        `--assume must be NAME=NUMBER, with NAME one of ${assumptionNames.join(', ')}; found: ${text}`,
      )
    changed[name] = numberOf(`assume ${name}`, number ?? '', usual[name], 0)
  }
  return changed
}

export const costCommand = command({
  name: 'cost',
  words: [],
  says: 'what so many mailboxes cost on AWS in a month, by service, beside what others ask',
  more: 'From counted units, measured CPU, the functions’ memory and list prices; infra/cost.md tells what is assumed.',
  options: {
    mailboxes: { type: 'string', value: 'NUMBER', says: 'how many (1000)' },
    interval: { type: 'string', value: 'MINUTES', says: '1m, 5m, 15m or 60m (5m)' },
    'sent-per-day': { type: 'string', value: 'NUMBER', says: 'messages a mailbox sends (5)' },
    'received-per-day': { type: 'string', value: 'NUMBER', says: 'mails a mailbox receives (10)' },
    assume: {
      type: 'string',
      value: 'NAME=NUMBER',
      multiple: true,
      says: 'instead of an assumption, such as providerRttMs=20; --explain lists all',
    },
    explain: { type: 'boolean', says: 'also what it is composed of, and which assumptions matter most' },
  },
  async run({ terminal, options }) {
    const load = {
      mailboxes: numberOf('mailboxes', options.mailboxes, 1_000, 1),
      intervalMinutes: intervalOf(options.interval),
      sentPerDay: numberOf('sent-per-day', options['sent-per-day'], 5, 0),
      receivedPerDay: numberOf('received-per-day', options['received-per-day'], 10, 0),
    }
    const assumed = assumedOf(options.assume)
    const cost = costOf(load, assumed)
    if (terminal.json) {
      const composition = {
        durations: durations(assumed, mailboxesPerBatch),
        weights: weights(load, assumed),
      }
      terminal.document({ ...load, priceList, ...cost, assumed, ...(options.explain && composition) })
      return exitCodes.done
    }
    terminal.table(
      ['service', 'list price', 'with free tier'],
      [
        ...byService(cost),
        ['all', dollars(cost.usd), dollars(cost.usdAfterFreeTier)],
        ['for each mailbox', dollars(cost.usdPerMailbox), dollars(cost.usdAfterFreeTier / load.mailboxes)],
        ...cost.alternatives.map(({ name, usd }) => [`instead: ${name}`, dollars(usd), '']),
      ],
    )
    if (options.explain) explain({ load, assumed, cost }, terminal)
    terminal.note(
      `A month at list prices of ${priceList.region}, ${priceList.date}; units are counted, CPU is measured, waiting is assumed: infra/cost.md.`,
    )
    return exitCodes.done
  },
})

/** How many of the assumptions that move the total are shown first, with what they do to it. */
const mostOf = 3

function explain(
  { load, assumed, cost }: { load: Load; assumed: Assumed; cost: Cost },
  terminal: Terminal,
): void {
  terminal.table(
    ['what is paid for', 'in a month', 'list price'],
    cost.lines
      .filter(({ usd }) => usd > 0)
      .map(({ name, quantity, usd }) => [name, rounded(quantity), dollars(usd)]),
  )
  const ms = (value: number) => `${rounded(value)} ms`
  terminal.table(
    [
      'milliseconds of a function',
      'provider (counted x assumed)',
      'AWS (counted x assumed)',
      'CPU (measured)',
      'all',
    ],
    durations(assumed, mailboxesPerBatch).map(({ work, folder, providerMs, awsMs, cpuMs, ...row }) => [
      `${folder}: ${work}`,
      ms(providerMs),
      ms(awsMs),
      ms(cpuMs),
      ms(row.ms),
    ]),
  )
  const all = weights(load, assumed)
  terminal.table(
    ['what moves the total most', 'half of it', 'twice as much'],
    all
      .slice(0, mostOf)
      .map(({ name, usdWhenHalved, usdWhenDoubled }) => [
        `${name} = ${assumed[name]}`,
        changeOf(usdWhenHalved),
        changeOf(usdWhenDoubled),
      ]),
  )
  terminal.table(
    ['assumed', '', 'why'],
    all.map(({ name }) => [name, String(assumed[name]), saysOf(name)]),
  )
}

function rounded(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 100 ? 1 : 0 })
}
