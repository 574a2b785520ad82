/** What a message costs at AWS: every call counted, so that one more is noticed. Units: test/servers/send-units.test.ts. */

import { expect, test } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'

const engines = useEngines()

/** Calls by service and name since the last look. */
function counted({ bench }: SendingChannel): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { service, command } of bench.stores.calls.splice(0)) {
    const name = `${service} ${command.replace(/Command$/, '')}`
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

test('accepting a message costs so many calls and no more', async () => {
  const sending = await startSendingChannel(engines)
  counted(sending)
  await sending.accept('first')
  expect(counted(sending)).toEqual({
    // Is it known already?
    'dynamodb GetItem': 1,
    // Its thread, its pointer in the outbox, itself.
    'dynamodb PutItem': 3,
    // The frozen bytes, and what of them an app reads.
    's3 PutObject': 2,
  })
})

test('a drain costs so much for itself, and so much for each mail', async () => {
  const sending = await startSendingChannel(engines)
  const drained = async (mails: number) => {
    for (let i = 0; i < mails; i++) await sending.accept(`${mails}-${i}`)
    counted(sending)
    await sending.drain()
    return counted(sending)
  }
  // The first of all reads what later ones know.
  await drained(1)
  const [one, three] = [await drained(1), await drained(3)]
  expect(one).toEqual({
    // The lease to begin and to end; `sending` and `sent`.
    'dynamodb UpdateItem': 4,
    // The channel and its token; the message.
    'dynamodb GetItem': 3,
    'dynamodb Query': 1,
    // The pace of the mailbox before and after; the event.
    'dynamodb PutItem': 3,
    'dynamodb DeleteItem': 1,
    // The bytes, and for the event what of them an app reads.
    's3 GetObject': 2,
    'sns Publish': 1,
  })
  const more = Object.entries(three).map(([name, count]) => [name, (count - (one[name] ?? 0)) / 2])
  expect(Object.fromEntries(more.filter(([, count]) => count !== 0))).toEqual({
    'dynamodb UpdateItem': 2,
    'dynamodb GetItem': 1,
    'dynamodb PutItem': 2,
    'dynamodb DeleteItem': 1,
    's3 GetObject': 2,
    'sns Publish': 1,
  })
  await sending.drain()
  // A doorbell with nothing behind it.
  expect(counted(sending)).toEqual({ 'dynamodb UpdateItem': 2, 'dynamodb GetItem': 1, 'dynamodb Query': 1 })
})
