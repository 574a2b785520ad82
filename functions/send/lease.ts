/** One drain per channel at a time, and no doorbell lost that rings while a drain ends. */

import { z } from 'zod'
import { readItem, type Table } from '../channel/table.ts'

const leaseSchema = z.object({ holder: z.string(), untilMs: z.number(), bell: z.int() })

/** A killed drain blocks its channel no longer than this; a living one renews in time. */
const leaseMs = 30_000
const renewEveryMs = leaseMs / 3

const leaseKey = (channelId: string) => ({ pk: `CHANNEL#${channelId}`, sk: 'SEND_LEASE' })

export interface Lease {
  /** @returns false if the bell rang meanwhile: drain once more, then release again */
  release(): Promise<boolean>
  /** Ends the renewal without releasing, for a drain that fails: the lease then runs out. */
  abandon(): void
}

export interface LeaseServices {
  main: Table
  now(): number
}

/** @returns undefined if another drain holds it; that one has then been told to look once more */
export async function takeLease(
  channelId: string,
  holder: string,
  services: LeaseServices,
): Promise<Lease | undefined> {
  const { main } = services
  return (
    (await tryLease(channelId, holder, services)) ??
    // Ring first, then look again: whoever releases in between has either seen the bell or freed the lease.
    (await main
      .update(leaseKey(channelId), { add: { bell: 1 } }, { exists: undefined })
      .then(() => tryLease(channelId, holder, services)))
  )
}

async function tryLease(
  channelId: string,
  holder: string,
  { main, now }: LeaseServices,
): Promise<Lease | undefined> {
  const key = leaseKey(channelId)
  const item = await main.update(
    key,
    { set: { holder, untilMs: now() + leaseMs }, add: { bell: 0 } },
    { exists: undefined, atMost: { untilMs: now() } },
  )
  if (!item) return undefined
  let { bell } = readItem(leaseSchema, item)

  const renew = () => {
    main.update(key, { set: { untilMs: now() + leaseMs } }, { equals: { holder } }).catch(() => undefined)
  }
  const renewal = setInterval(renew, renewEveryMs)

  return {
    async release() {
      const released = await main.update(key, { set: { untilMs: 0 } }, { equals: { holder, bell } })
      if (released) {
        clearInterval(renewal)
        return true
      }
      const current = await main.get(key)
      const lease = current && readItem(leaseSchema, current)
      if (lease?.holder !== holder) {
        clearInterval(renewal)
        return true
      }
      bell = lease.bell
      return false
    },
    abandon: () => clearInterval(renewal),
  }
}
