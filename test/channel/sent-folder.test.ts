/** What is looked up in Sent and filed there, at an IMAP server. */

import { expect, onTestFinished, test } from 'vitest'
import { providerOf } from '../../functions/channel/provider.ts'
import { openSentFolder } from '../../functions/channel/sent-folder.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startScriptedImap } from '../support/scripted-imap.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()

async function openSent() {
  const { providers, apps, clock } = mailboxes
  const bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
  const channel = await mailboxes.connect(bench, 'ada')
  const server = providerOf(providers, channel.provider).imap
  const accessToken = await bench.tokens.accessToken(channel)
  const sent = await openSentFolder({ server, user: channel.login.imap, accessToken })
  onTestFinished(() => sent.close())
  return sent
}

const mail = (id: string, messageId: string) =>
  Buffer.from(`Message-ID: ${messageId}\r\nX-Postroom-Id: ${id}\r\nSubject: Hello\r\n\r\nHi\r\n`)

test('a copy that was filed is found by its Message-ID', async () => {
  const sent = await openSent()
  const wanted = { id: 'msg_1', messageId: '<msg_1@contoso.example>' }
  expect(await sent.find(wanted)).toBeUndefined()
  await sent.append(mail(wanted.id, wanted.messageId), new Date('2026-11-26T08:00:00Z'))
  expect(await sent.find(wanted)).toEqual({ messageId: wanted.messageId })
  expect(await sent.find({ id: 'msg_2', messageId: '<msg_2@contoso.example>' })).toBeUndefined()
})

test('a copy that the provider gave another Message-ID is found by our id, and its own is learned', async () => {
  const sent = await openSent()
  await sent.append(mail('msg_3', '<given@TEST.prod.outlook.com>'), new Date('2026-11-26T08:00:00Z'))
  expect(await sent.find({ id: 'msg_3', messageId: '<msg_3@contoso.example>' })).toEqual({
    messageId: '<given@TEST.prod.outlook.com>',
  })
})

test('a server that cannot be asked is unreachable, which is no verdict on the mail', async () => {
  const server = { host: '127.0.0.1', port: 1, security: 'tls' as const }
  const error = await thrownBy(() => openSentFolder({ server, user: 'ada', accessToken: 'none' }))
  expect(error.code).toBe('imap_unreachable')
})

test('a server that throttles a look says for how long, and is not taken for one that is away', async () => {
  const imap = await startScriptedImap()
  imap.afterwards = 'BAD Request is throttled. Suggested Backoff Time: 1800000 milliseconds'
  // imapflow itself waits for half of its time-out before it tells.
  const error = await thrownBy(() =>
    openSentFolder({ server: imap.server, user: 'ada', accessToken: 'any' }, { timeoutMs: 200 }),
  )
  expect(error).toMatchObject({ code: 'imap_throttled', retryAfterMs: 1_800_000 })
})

test('a sign-in that is refused at a look is no verdict on the login', async () => {
  const imap = await startScriptedImap()
  imap.authenticate = 'NO AUTHENTICATE failed.'
  const error = await thrownBy(() => openSentFolder({ server: imap.server, user: 'ada', accessToken: 'any' }))
  expect(error).toMatchObject({
    code: 'imap_unreachable',
    evidence: expect.stringContaining('AUTHENTICATE failed'),
  })
})
