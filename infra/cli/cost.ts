/** `cost`: what so many mailboxes cost in a month, by service; asks nobody, and needs no account. */

import { pollIntervals } from '../../functions/channel/slots.ts'
import { costOf } from '../cost/cost.ts'
import { byService, dollars } from '../cost/page.ts'
import { priceList } from '../cost/prices.ts'
import { command, exitCodes, UsageError } from './command.ts'

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

export const costCommand = command({
  name: 'cost',
  words: [],
  says: 'what so many mailboxes cost on AWS in a month, by service, beside what others ask',
  more: 'From counted units, the functions’ memory and list prices; infra/cost.md tells what is counted and what assumed.',
  options: {
    mailboxes: { type: 'string', value: 'NUMBER', says: 'how many (1000)' },
    interval: { type: 'string', value: 'MINUTES', says: '1m, 5m, 15m or 60m (5m)' },
    'sent-per-day': { type: 'string', value: 'NUMBER', says: 'messages a mailbox sends (5)' },
    'received-per-day': { type: 'string', value: 'NUMBER', says: 'mails a mailbox receives (10)' },
  },
  async run({ terminal, options }) {
    const load = {
      mailboxes: numberOf('mailboxes', options.mailboxes, 1_000, 1),
      intervalMinutes: intervalOf(options.interval),
      sentPerDay: numberOf('sent-per-day', options['sent-per-day'], 5, 0),
      receivedPerDay: numberOf('received-per-day', options['received-per-day'], 10, 0),
    }
    const cost = costOf(load)
    if (terminal.json) {
      terminal.document({ ...load, priceList, ...cost })
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
    terminal.note(
      `A month at list prices of ${priceList.region}, ${priceList.date}; durations are assumed, infra/cost.md says which.`,
    )
    return exitCodes.done
  },
})
