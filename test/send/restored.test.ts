/** Restore mode at its edges; that it sends nothing twice over the whole system: test/system/restore.test.ts. */

import { expect, test } from 'vitest'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { Restored } from '../../functions/channel/restored.ts'
import type { OpenSentFolder } from '../../functions/channel/sent-folder.ts'
import { drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import { invocationMs, startSendingChannel } from '../support/sending-channel.ts'
import { eventTypes } from '../support/workbench.ts'

const engines = useEngines()

/** A Sent folder that holds what is named here, or cannot be reached. */
function sentFolder({ holds = [], isReachable = true }: { holds?: string[]; isReachable?: boolean } = {}) {
  const looks: string[] = []
  const open: OpenSentFolder = async () => {
    if (!isReachable) throw new PostroomError('imap_unreachable')
    return {
      find: async ({ messageId }) => {
        looks.push(messageId)
        return holds.includes(messageId) ? { messageId } : undefined
      },
      append: async () => undefined,
      close: async () => undefined,
    }
  }
  return { open, looks }
}

async function setUp(mode: Restored['mode']) {
  const sending = await startSendingChannel(engines)
  const restored = () => ({ at: new Date(sending.bench.now()).toISOString(), mode })
  const drainAfter = (after: Restored, openSent: OpenSentFolder) =>
    drain(sending.channel.id, {
      services: { ...sending.bench, restored: after, openSent },
      deadlineMs: sending.bench.now() + invocationMs,
    })
  return { sending, restored, drainAfter }
}

test('a message that Sent holds is sent, and leaves no second time', async () => {
  const { sending, restored, drainAfter } = await setUp('resume')
  const message = await sending.accept('left')
  const sent = sentFolder({ holds: [message.messageId] })
  await drainAfter(restored(), sent.open)
  expect((await sending.latest(message)).state).toBe('sent')
  expect(sending.subjects()).toEqual([])
  expect(await eventTypes(sending.bench)).toEqual(['message.sent'])
})

test('what Sent does not hold leaves in order of acceptance, each looked for once', async () => {
  const { sending, restored, drainAfter } = await setUp('resume')
  await sending.accept('first')
  await sending.accept('second')
  const sent = sentFolder()
  await drainAfter(restored(), sent.open)
  expect(sending.subjects()).toEqual(['first', 'second'])
  expect(sent.looks).toHaveLength(2)
})

test('resync leaves to the app what was accepted before, and sends what is accepted since', async () => {
  const { sending, restored, drainAfter } = await setUp('resync')
  const before = await sending.accept('before')
  sending.bench.clock.advance(1_000)
  const after = restored()
  await sending.accept('since')
  await drainAfter(after, sentFolder().open)
  expect(sending.subjects()).toEqual(['since'])
  expect(await sending.latest(before)).toMatchObject({
    state: 'uncertain',
    fault: { code: 'outcome_unknown' },
  })
  expect(await eventTypes(sending.bench)).toEqual(
    expect.arrayContaining(['message.uncertain', 'message.sent']),
  )
})

test('while Sent cannot be reached nothing leaves; afterwards it does', async () => {
  const { sending, restored, drainAfter } = await setUp('resume')
  const message = await sending.accept('waits')
  const after = restored()
  await drainAfter(after, sentFolder({ isReachable: false }).open)
  expect(sending.subjects()).toEqual([])
  expect((await sending.latest(message)).state).toBe('queued')
  sending.bench.clock.advance(15 * 60_000)
  await drainAfter(after, sentFolder().open)
  expect(sending.subjects()).toEqual(['waits'])
})

test('a second restore looks again, also for what the first has let go on', async () => {
  const { sending, restored, drainAfter } = await setUp('resume')
  const message = await sending.accept('twice')
  const first = restored()
  // Looked for, but not sent: SMTP does not answer.
  sending.smtp.always = { greeting: 'drop' }
  const sent = sentFolder()
  await drainAfter(first, sent.open)
  expect(sent.looks).toHaveLength(1)
  expect(sending.subjects()).toEqual([])
  sending.smtp.always = {}
  sending.bench.clock.advance(3_600_000)
  const second = sentFolder({ holds: [message.messageId] })
  await drainAfter(restored(), second.open)
  expect(second.looks).toEqual([message.messageId])
  expect((await sending.latest(message)).state).toBe('sent')
})
