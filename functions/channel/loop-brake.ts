/**
 * Stops two programs that answer each other: whoever gets and sends too many automatic mails within minutes gets no more
 * automatic ones from this mailbox, until it has been quiet. What a person sends is never stopped.
 */

import { PostroomError } from './faults.ts'
import { derivedId } from './identifiers.ts'
import type { Table } from './table.ts'

/** At most so many automatic mails, both ways together, within one window and the one before it. */
const mailsLimit = 10
const windowMs = 10 * 60_000

export interface LoopBrake {
  /** An automatic mail went to, or came from, this address. */
  count(channelId: string, address: string): Promise<void>
  /**
   * @param recipients of a mail that is about to be sent, with the field each stands in
   * @throws PostroomError `loop_braked`
   */
  check(channelId: string, recipients: { field: string; address: string }[]): Promise<void>
}

export function openLoopBrake({ main, now }: { main: Table; now(): number }): LoopBrake {
  const windowNow = () => Math.floor(now() / windowMs)
  const keyOf = (channelId: string, address: string, window: number) => ({
    pk: `CHANNEL#${channelId}`,
    sk: `AUTOMATIC#${derivedId('peer', address.toLowerCase())}#${window}`,
  })

  return {
    async count(channelId, address) {
      const key = keyOf(channelId, address, windowNow())
      const isCounted = await main.update(key, { add: { mails: 1 } })
      if (isCounted) return
      const ttl = Math.floor((now() + 3 * windowMs) / 1000)
      const isFirst = await main.put({ ...key, mails: 1, ttl }, { exists: false })
      if (!isFirst) await main.update(key, { add: { mails: 1 } })
    },

    async check(channelId, recipients) {
      const windows = [windowNow(), windowNow() - 1]
      const keys = recipients.flatMap(({ address }) =>
        windows.map(window => keyOf(channelId, address, window)),
      )
      const items = await main.getMany(keys)
      const errors = recipients.flatMap(({ field, address }, index) => {
        const mails = windows.reduce(
          (sum, _window, at) => sum + Number(items[index * windows.length + at]?.mails ?? 0),
          0,
        )
        if (mails < mailsLimit) return []
        const rule = `must have exchanged fewer than ${mailsLimit} automatic mails with this mailbox in the last minutes`
        return [{ field, rule, found: `${mails} with ${address}` }]
      })
      if (errors.length > 0) throw new PostroomError('loop_braked', { errors })
    },
  }
}
