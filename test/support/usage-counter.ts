/** Counts all that infra/cost/units.ts says of a piece of work: units of AWS, waits for AWS and for a provider, bytes out. */

import type { Used } from '../../infra/cost/units.ts'
import { openRounds } from './call-rounds.ts'
import type { TurnProxy } from './turn-proxy.ts'
import { openMeter } from './usage-meter.ts'
import type { Workbench } from './workbench.ts'

/** @param proxies between the workbench's channels and their servers */
export async function openCounter(
  bench: Workbench,
  proxies: TurnProxy[] = [],
): Promise<(work: () => Promise<unknown>) => Promise<Used>> {
  const [usageOf, roundsOf] = [await openMeter(bench), openRounds(bench.stores)]
  const { rings } = bench.queues
  for (const proxy of proxies) await proxy.turns()
  return async work => {
    const rungBefore = rings.length
    let rounds = { s3: 0, messaging: 0, kms: 0, dynamodb: 0 }
    // A copy: the meter goes on with its own.
    const usage = {
      ...(await usageOf(async () => {
        rounds = await roundsOf(work)
      })),
    }
    const messaging = rounds.messaging + rings.length - rungBefore
    let [roundTrips, bytesOut] = [0, 0]
    for (const proxy of proxies) {
      const seen = await proxy.turns()
      roundTrips += seen.roundTrips
      bytesOut += seen.bytesOut
    }
    return { ...usage, rounds: { ...rounds, messaging }, roundTrips, bytesOut }
  }
}
