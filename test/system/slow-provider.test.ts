/** I7 over invocations: a provider that hangs takes its own share of `fetch` and no more, so that another's mail is not late. */

import { expect, test, vi } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { useRunningSystem } from '../support/running-system.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { withoutSchedule } from '../support/without-schedule.ts'

/** Without the minute's schedule each batch is one that the test asked for, with one mailbox. */
const running = useRunningSystem({ changeAssembly: withoutSchedule })

/** What Lambda takes for the least; the local runner never gives one queue more. */
const invocationsAtOnce = 2

test('a provider that hangs holds as many invocations as it may have, and the other’s mail comes meanwhile', async () => {
  const stuck: Json[] = []
  for (const accountId of ['a', 'b', 'c', 'd', 'e', 'f']) {
    stuck.push(await running.connect(stuck.length % 2 === 0 ? 'ada' : 'grace', { accountId }))
  }
  const quick = await running.connect('linus', { accountId: 'quick', provider: 'google' })

  const hanging = await startScriptedImap()
  hanging.greeting = 'hang'
  const { microsoft } = running.system.sandbox?.providers ?? {}
  await running.restart({ providers: { microsoft: { ...microsoft, imap: hanging.server } } })
  const { app } = running
  for (const { id } of stuck) await app.call('POST', `/v1/channels/${id}/poll`)
  await vi.waitFor(() => expect(hanging.connections).toBe(invocationsAtOnce), 20_000)

  await running.sandbox('/personas/linus/deliver', {
    from: { address: 'c@outside.example' },
    subject: 'in time',
    text: 'x',
  })
  await app.call('POST', `/v1/channels/${quick.id}/poll`)
  const { data } = await app.event('quick', event => event.type === 'message.received')
  expect(data.message.subject).toBe('in time')
  // Those behind it have not even had their turn.
  expect(hanging.connections).toBeLessThan(stuck.length)

  // Each of them has it in the end, and none beside more than one other.
  await vi.waitFor(() => expect(hanging.connections).toBe(stuck.length), 60_000)
  expect(hanging.mostAtOnce).toBe(invocationsAtOnce)
}, 120_000)
