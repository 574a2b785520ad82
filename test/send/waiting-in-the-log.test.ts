/** What the log says of a message that has to wait: which, until when, and what the server said. */

import { afterEach, expect, test, vi } from 'vitest'
import { useEngines } from '../support/engines.ts'
import { startSendingChannel } from '../support/sending-channel.ts'

const engines = useEngines()
afterEach(() => void vi.restoreAllMocks())

test('one line for each time that its server puts it off', async () => {
  const { accept, drain, smtp, latest } = await startSendingChannel(engines)
  const message = await accept('Unspoken')
  smtp.script.body = ['451 4.3.0 Try again later']
  const written: string[] = []
  vi.spyOn(process.stdout, 'write').mockImplementation(text => {
    written.push(String(text))
    return true
  })
  await drain()
  const lines = written.filter(text => text.includes('message_waits')).map(text => JSON.parse(text))
  const { nextAttemptAt, fault, channelId } = await latest(message)
  expect(lines).toEqual([
    expect.objectContaining({ messageId: message.id, channelId, until: nextAttemptAt, code: fault?.code }),
  ])
})
