/** One drain of a queue at a time, and no doorbell lost that rings while a drain ends. */

import { z } from 'zod'
import { type Key, readItem, type Table } from './table.ts'

const leaseSchema = z.object({ holder: z.string(), untilMs: z.number(), bell: z.int() })

/** A killed drain blocks its queue no longer than this; a living one renews in time. */
const leaseMs = 30_000
const renewEveryMs = leaseMs / 3

/** What may be drained by one at a time. */
export const leaseKeys = {
  outbox: (channelId: string): Key => ({ pk: `CHANNEL#${channelId}`, sk: 'SEND_LEASE' }),
  webhook: (webhookId: string): Key => ({ pk: `WEBHOOK#${webhookId}`, sk: 'DRAIN_LEASE' }),
}

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
  key: Key,
  holder: string,
  services: LeaseServices,
): Promise<Lease | undefined> {
  const { main } = services
  return (
    (await tryLease(key, holder, services)) ??
    // Ring first, then look again: whoever releases in between has either seen the bell or freed the lease.
    (await main
      .update(key, { add: { bell: 1 } }, { exists: undefined })
      .then(() => tryLease(key, holder, services)))
  )
}

async function tryLease(key: Key, holder: string, { main, now }: LeaseServices): Promise<Lease | undefined> {
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
