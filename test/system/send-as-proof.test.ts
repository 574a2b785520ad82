import { expect, test } from 'vitest'
import type { Json } from '../../infra/local/as-app.ts'
import { useRunningSystem } from '../support/running-system.ts'

const running = useRunningSystem()

function connectShared(sharedMailbox: string, accountId: string, proveSendAs: boolean) {
  return running.connect('ada', { accountId, session: { sharedMailbox, proveSendAs } })
}

/** Subjects in a folder of the sandbox. */
async function subjects(path: string): Promise<string[]> {
  const { messages } = await running.sandbox(path)
  return messages.map(({ subject }: Json) => subject)
}

test('a mailbox that may be sent as is proven by a mail to itself, of which nothing stays', async () => {
  const channel = await connectShared('support@contoso.example', 'proven', true)
  expect(channel).toMatchObject({
    auth: { state: 'connected' },
    login: { imap: 'support@contoso.example', smtp: 'ada@contoso.example' },
  })
  expect(await subjects('/mailboxes/support/folders/INBOX')).toEqual([])
  expect(await subjects('/personas/ada/folders/Sent')).toEqual([])
  // It was there: its UID is used up.
  const next = { from: { address: 'customer@outside.example' }, subject: 'Next', text: 'x' }
  await running.sandbox('/mailboxes/support/deliver', next)
  const { messages } = await running.sandbox('/mailboxes/support/folders/INBOX')
  expect(messages.map(({ uid }: Json) => uid)).toEqual([2])
})

test('a delegate who may read but not send as the mailbox is told so, and what works is connected', async () => {
  const channel = await connectShared('billing@contoso.example', 'denied', true)
  expect(channel).toMatchObject({
    auth: { state: 'blocked_by_admin', fault: { code: 'send_as_denied', actor: 'tenant_admin' } },
    access: { imap: { state: 'ok' }, smtp: { state: 'blocked', fault: { code: 'send_as_denied' } } },
  })
  // Signing in works, so that alone must not pass for a cure.
  const { body } = await running.app.call('POST', `/v1/channels/${channel.id}/probe`)
  expect(body.smtp.at(-1)).toMatchObject({ accepted: false, fault: { code: 'send_as_denied' } })
  const { access } = (await running.app.call('GET', `/v1/channels/${channel.id}`)).body
  expect(access.smtp).toMatchObject({ state: 'blocked', fault: { code: 'send_as_denied' } })
})

test('nobody who did not ask for the proof is sent a mail', async () => {
  const channel = await connectShared('billing@contoso.example', 'unasked', false)
  expect(channel.auth.state).toBe('connected')
  expect(await subjects('/mailboxes/billing/folders/INBOX')).toEqual([])
})
