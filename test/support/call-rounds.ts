/**
 * How many calls of AWS come one after the other while something runs: calls that are under way at the same time are one
 * round, which lasts as long as its slowest. Each round's calls return together, so that the count is the code's own
 * doing and not that of whichever engine answered first.
 */

import type { AwsCall, Stores } from './running-engines.ts'

/** Each round counts for the slowest of the services in it. */
export interface CallRounds {
  s3: number
  /** SNS; SQS is written by whoever counts. */
  messaging: number
  kms: number
  dynamodb: number
}

interface Round {
  services: Set<AwsCall['service']>
  running: number
  end: PromiseWithResolvers<void>
}

export function openRounds(stores: Stores): (work: () => Promise<unknown>) => Promise<CallRounds> {
  const rounds: Round[] = []
  let current: Round | undefined

  const inRound = async <T>(service: AwsCall['service'], call: () => Promise<T>): Promise<T> => {
    current ??= { services: new Set(), running: 0, end: Promise.withResolvers() }
    const round = current
    round.services.add(service)
    round.running += 1
    try {
      return await call()
    } finally {
      round.running -= 1
      if (round.running === 0) {
        current = undefined
        rounds.push(round)
        round.end.resolve()
      }
      await round.end.promise
    }
  }
  const place = { step: 'initialize', name: 'rounds', priority: 'high' } as const
  stores.dynamodb.middlewareStack.add(next => args => inRound('dynamodb', () => next(args)), place)
  stores.s3.middlewareStack.add(next => args => inRound('s3', () => next(args)), place)
  stores.sns.middlewareStack.add(next => args => inRound('sns', () => next(args)), place)
  stores.kms.middlewareStack.add(next => args => inRound('kms', () => next(args)), place)

  return async work => {
    rounds.length = 0
    await work()
    const counted = { s3: 0, messaging: 0, kms: 0, dynamodb: 0 }
    for (const { services } of rounds) counted[slowestOf(services)] += 1
    return counted
  }
}

function slowestOf(services: Set<AwsCall['service']>): keyof CallRounds {
  if (services.has('s3')) return 's3'
  if (services.has('sns')) return 'messaging'
  return services.has('kms') ? 'kms' : 'dynamodb'
}
