/** Folders beside INBOX: found by role, read with cursors of their own; a copy of what was sent is no mail that came. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { type Channel, presentChannel } from '../../functions/channel/channels.ts'
import { connectImapFlow, endImapFlow } from '../../functions/channel/imap-flow.ts'
import { providerOf } from '../../functions/channel/provider.ts'
import { pollMailbox } from '../../functions/fetch/mailbox.ts'
import { useEngines } from '../support/engines.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { eventsOf, openWorkbench, type Workbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const { clock, deliver } = mailboxes

let bench: Workbench
let channel: Channel

beforeEach(async () => {
  const { providers, apps } = mailboxes
  bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
  clock.advance(2_000)
  channel = await mailboxes.connect(bench, 'ada', { folders: ['INBOX', 'sent', 'No such folder'] })
  await poll()
})

async function poll(): Promise<void> {
  const current = await bench.channels.get(channel.id)
  await pollMailbox(current, { services: bench, deadlineMs: bench.now() + 3600_000, isRequested: false })
}

const told = async () =>
  (await eventsOf(bench)).filter(({ type }) => type === 'message.received').map(({ data }) => data.message)

/** What somebody's own mail program does in the mailbox. */
async function asOwner<T>(
  work: (client: Awaited<ReturnType<typeof connectImapFlow>>) => Promise<T>,
): Promise<T> {
  const { imap: server } = providerOf(bench.providers, channel.provider)
  const accessToken = await bench.tokens.accessToken(channel)
  const client = await connectImapFlow({ server, user: channel.login.imap, accessToken })
  try {
    return await work(client)
  } finally {
    await endImapFlow(client)
  }
}

const letter = (subject: string, header = '') =>
  Buffer.from(
    `From: ada@contoso.example\r\nTo: customer@outside.example\r\nMessage-ID: <${subject}@contoso.example>\r\n${header}Subject: ${subject}\r\n\r\nHello\r\n`,
  )

test('a folder that is not there is said to be missing, and keeps nobody from the others', async () => {
  await deliver('ada', { subject: 'into the inbox' })
  await poll()
  const found = await bench.channels.get(channel.id)
  expect(presentChannel(found).missingFolders).toEqual(['No such folder'])
  expect(found.folderPaths.sent?.path).toBe('Sent')
  expect((await told()).map(message => message?.subject)).toEqual(['into the inbox'])
})

test('what somebody sends with a mail program of their own is told, with its folder', async () => {
  await asOwner(client => client.append('Sent', letter('from-outlook'), ['\\Seen']))
  await poll()
  expect(await told()).toMatchObject([{ subject: 'from-outlook', folder: 'sent', isFromSelf: true }])
})

test('a copy of what Postroom sent is noted at the message, and not told as one that came', async () => {
  const document = { to: [{ address: 'customer@outside.example' }], subject: 'ours', text: 'Hello' }
  const sent = await accept({ channel, idempotencyKey: 'folders-1', document }, bench)
  // The provider gave it another Message-ID: what stays is our own header.
  const copy = letter('renamed-by-provider', `X-Postroom-Id: ${sent.id}\r\n`)
  await asOwner(client => client.append('Sent', copy, ['\\Seen']))
  await poll()
  expect(await told()).toEqual([])
  expect(await bench.messages.get(sent.id)).toMatchObject({ filed: { folder: 'sent' } })
})

test('a mail that is moved into another folder that is read stays one message', async () => {
  await deliver('ada', { subject: 'filed later' })
  await poll()
  await asOwner(async client => {
    await client.mailboxOpen('INBOX')
    await client.messageCopy('1:*', 'Sent', { uid: true })
  })
  await poll()
  const subjects = (await told()).map(message => message?.subject)
  expect(subjects.filter(subject => subject === 'filed later')).toHaveLength(1)
})
