/** The mailboxes of the simulation: whose they are, how much mail they get, and what is known of each. */

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** When the simulation begins. */
export const start = Date.UTC(2026, 0, 5)
/** Google's access tokens live an hour, Microsoft's 60 to 90 minutes. */
export const tokenLifeMs = hourMs

/** Of the mailboxes, those of the provider that will be away. */
export const awayShare = 0.7

/** Shares of mailboxes and how often each gets mail: talking, daily, weekly, quiet. */
const kinds = [
  { share: 0.1, mailEveryMs: 10 * minuteMs },
  { share: 0.5, mailEveryMs: 8 * hourMs },
  { share: 0.3, mailEveryMs: 96 * hourMs },
  { share: 0.1, mailEveryMs: Number.POSITIVE_INFINITY },
]

export interface Mailbox {
  id: string
  provider: string
  mailEveryMs: number
  lastMailMs: number
  lastPollMs: number
  /** When it was last read in truth: a poll while its provider is away, or that rests, reads nothing. */
  lastReadMs: number
  /** When it should be read next, as its interval was after the last time. */
  nextReadMs: number
  /** Until when its access token is good. */
  tokenUntilMs: number
  intervalMinutes: number
  /** Of the interval it had before, if it moved at its last poll. */
  hasMoved: boolean
  failures: number
  restsUntilMs: number
}

/** Its multiples fall evenly between 0 and 1, with neighbours far apart. */
const goldenRatio = (Math.sqrt(5) - 1) / 2

/** @param place of a mailbox among all, from 0 up to 1 */
function kindAt(place: number): number {
  let upTo = 0
  for (const [kind, { share }] of kinds.entries()) {
    upTo += share
    if (place < upTo) return kind
  }
  return kinds.length - 1
}

export function* population(
  { mailboxes, baseMinutes }: { mailboxes: number; baseMinutes: number },
  random: () => number,
): Generator<Mailbox> {
  const steps = baseMinutes === 1 ? [1, 1, 5, 15] : [1, 5, 15, 60]
  const since = [5 * minuteMs, 4 * hourMs, 48 * hourMs, 400 * hourMs]
  for (let index = 0; index < mailboxes; index++) {
    // Mixed: ids come in order, and so do the batches of a minute. Those who talk would all be polled in its first seconds.
    const kind = kindAt((index * goldenRatio) % 1)
    yield {
      id: `ch_${index.toString(36).padStart(26, '0')}`,
      provider: random() < awayShare ? 'microsoft' : 'google',
      mailEveryMs: kinds[kind]?.mailEveryMs ?? Number.POSITIVE_INFINITY,
      lastMailMs: start - (since[kind] ?? 0),
      lastPollMs: start,
      lastReadMs: start,
      nextReadMs: Number.POSITIVE_INFINITY,
      tokenUntilMs: start + tokenLifeMs * random(),
      intervalMinutes: steps[kind] ?? 60,
      hasMoved: true,
      failures: 0,
      restsUntilMs: 0,
    }
  }
}

/** How many of what comes by chance have come, if `expected` were to: Poisson, from one random number. */
export function arrivals(expected: number, chance: number): number {
  let count = 0
  let probability = Math.exp(-expected)
  let upTo = probability
  // From the top, so that a small chance is many and 1 is none.
  while (chance < 1 - upTo && count < 1_000) {
    count++
    probability *= expected / count
    upTo += probability
  }
  return count
}
