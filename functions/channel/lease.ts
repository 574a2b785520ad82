/** One drain of a queue at a time, and no doorbell lost that rings while a drain ends. */

import * as v from 'valibot'
import { integer } from './single-values.ts'
import { type Key, readItem, type Table } from './table.ts'

const leaseSchema = v.object({
  holder: v.string(),
  untilMs: v.number(),
  bell: integer,
  epoch: v.optional(integer, 0),
  note: v.optional(v.unknown()),
})

/** A killed drain blocks its queue no longer than this; a living one renews in time. */
const leaseMs = 30_000
const renewEveryMs = leaseMs / 3

/** What may be drained by one at a time. */
export const leaseKeys = {
  outbox: (channelId: string): Key => ({ pk: `CHANNEL#${channelId}`, sk: 'SEND_LEASE' }),
  webhook: (webhookId: string): Key => ({ pk: `WEBHOOK#${webhookId}`, sk: 'DRAIN_LEASE' }),
}

export interface Lease {
  /** Grows with every holder: what the last holder wrote, an earlier one must not overwrite (fencing). */
  epoch: number
  /** What the last holder left for the next one. */
  note: unknown
  /** Leaves a note with every renewal and the release, which are written anyway. */
  leave(note: () => unknown): void
  /** To be asked before every piece of work; renews when it is time. @returns false if another may have taken over */
  keep(): Promise<boolean>
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
  const takenAtMs = now()
  const item = await main.update(
    key,
    { set: { holder, untilMs: takenAtMs + leaseMs }, add: { bell: 0, epoch: 1 } },
    { exists: undefined, atMost: { untilMs: takenAtMs } },
  )
  if (!item) return undefined
  const { epoch, note, bell: bellThen } = readItem(leaseSchema, item)
  let bell = bellThen
  let noteToLeave: () => unknown = () => note
  let renewedAtMs = takenAtMs
  let isLost = false
  let isReleased = false
  let lastWrite: Promise<unknown> = Promise.resolve()

  /** One after the other: a renewal that landed behind the release would hold the lease for a drain that is over. */
  function inTurn<T>(write: () => Promise<T>): Promise<T> {
    const next = lastWrite.then(write, write)
    lastWrite = next
    return next
  }

  const renew = () =>
    inTurn(async () => {
      if (isReleased) return
      const atMs = now()
      const set = { untilMs: atMs + leaseMs, note: noteToLeave() }
      if (await main.update(key, { set }, { equals: { holder } })) renewedAtMs = atMs
      else isLost = true
    })
  // For the time in which a slow server is waited for. A renewal that fails is tried again at the next turn.
  const renewal = setInterval(() => void renew().catch(() => undefined), renewEveryMs)

  return {
    epoch,
    note,
    leave(next) {
      noteToLeave = next
    },

    async keep() {
      if (!isLost && now() - renewedAtMs >= renewEveryMs) await renew()
      return !isLost && now() - renewedAtMs < leaseMs
    },

    async release() {
      isReleased = await inTurn(async () => {
        const set = { untilMs: 0, note: noteToLeave() }
        if (await main.update(key, { set }, { equals: { holder, bell } })) return true
        const current = await main.get(key)
        const lease = current && readItem(leaseSchema, current)
        if (lease?.holder !== holder) return true
        bell = lease.bell
        return false
      })
      if (isReleased) clearInterval(renewal)
      return isReleased
    },

    abandon: () => clearInterval(renewal),
  }
}
