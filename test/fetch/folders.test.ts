/** Folders beside INBOX: found by role, read with cursors of their own; a copy of what was sent is no mail that came. */

import { beforeEach, expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { type Channel, presentChannel } from '../../functions/channel/channels.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { connectImapFlow, endImapFlow } from '../../functions/channel/imap-flow.ts'
import type { FolderState } from '../../functions/channel/imap-glance.ts'
import type { ImapSession } from '../../functions/channel/imap-reader.ts'
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

/** @param strange what the server does otherwise */
async function poll(strange: (session: ImapSession) => Partial<ImapSession> = () => ({})): Promise<void> {
  const current = await bench.channels.get(channel.id)
  const open: typeof bench.imap.open = async (...args) => {
    const session = await bench.imap.open(...args)
    return { ...session, ...strange(session) }
  }
  const services = { ...bench, imap: { open } }
  await pollMailbox(current, { services, deadlineMs: bench.now() + 3600_000, isRequested: false })
}

/** Somebody has renamed or deleted the folder. */
const without =
  (path: string) =>
  (session: ImapSession): Partial<ImapSession> => ({
    list: async () => (await session.list()).filter(folder => folder.path !== path),
    glance: async paths => {
      const seen = await session.glance(paths)
      return new Map([...seen].map(([asked, state]) => [asked, asked === path ? null : state]))
    },
    open: async (asked, range) => {
      if (asked === path) throw new PostroomError('imap_unreachable', { evidence: 'no such mailbox' })
      return session.open(asked, range)
    },
  })

/** It was made anew: the same mails under other numbers. */
const madeAnew =
  (path: string) =>
  (session: ImapSession): Partial<ImapSession> => ({
    glance: async paths => {
      const seen = await session.glance(paths)
      const renumbered = (state: FolderState | null) => state && { ...state, uidValidity: '4711' }
      return new Map([...seen].map(([asked, state]) => [asked, asked === path ? renumbered(state) : state]))
    },
    open: async (asked, range) => {
      const opened = await session.open(asked, range)
      return asked === path ? { ...opened, uidValidity: '4711' } : opened
    },
  })

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

const shown = async () => presentChannel(await bench.channels.get(channel.id))
const subjects = async () => (await told()).map(message => String(message?.subject))

/** As if the mailbox had last been asked for its folders so long ago: the sign-in's own clock cannot be put forward. */
async function lookedAnHourAgo(): Promise<void> {
  const { folderPaths } = await bench.channels.get(channel.id)
  const lookedAt = new Date(bench.now() - 3600_000).toISOString()
  const paths = Object.entries(folderPaths).map(([folder, { path }]) => [folder, { path, lookedAt }])
  await bench.channels.change(channel.id, { folderPaths: Object.fromEntries(paths) })
}

/** There is work in it, though nothing is new. */
async function countIsDue(folder: string): Promise<void> {
  const key = { pk: `CHANNEL#${channel.id}`, sk: `CURSOR#${folder}` }
  await bench.main.put({
    ...key,
    ...(await bench.main.get(key)),
    auditAt: new Date(bench.now() - 1).toISOString(),
  })
}

test.each([
  ['as it was', () => ({})],
  ['made anew, under other numbers', madeAnew('Sent')],
])(
  'a folder that vanishes is named with who must act, keeps nobody from the others, and goes on where it comes back %s',
  async (_how, back) => {
    await bench.channels.change(channel.id, { folders: ['INBOX', 'sent'] })
    await asOwner(client => client.append('Sent', letter('before-it-went'), ['\\Seen']))
    await poll()
    expect(await subjects()).toEqual(['before-it-went'])
    await countIsDue('sent')
    await lookedAnHourAgo()
    await deliver('ada', { subject: 'meanwhile 1' })
    await poll(without('Sent'))
    expect(await subjects()).toEqual(['before-it-went', 'meanwhile 1'])
    expect(await shown()).toMatchObject({
      missingFolders: ['sent'],
      folderFault: { code: 'folder_missing', actor: 'owner', evidence: 'sent' },
      auth: { state: 'connected' },
      connection: { state: 'ok' },
    })

    const before = bench.stores.calls.length
    await poll(without('Sent'))
    expect(bench.stores.calls.slice(before).filter(({ command }) => /^(Put|Update)/.test(command))).toEqual(
      [],
    )
    await asOwner(client =>
      client.append('Sent', letter('while-it-was-away'), ['\\Seen'], new Date(bench.now())),
    )
    await lookedAnHourAgo()
    await poll(back)
    await poll(back)
    expect(await shown()).toMatchObject({ missingFolders: [], folderFault: null })
    expect(await subjects()).toEqual(['before-it-went', 'meanwhile 1', 'while-it-was-away'])
    const types = (await eventsOf(bench)).map(({ type }) => type)
    expect(types.filter(type => type.startsWith('channel.'))).toEqual([])
  },
)

test('a folder that is renamed and has a role is found under its new name, and goes on there', async () => {
  await asOwner(client => client.append('Sent', letter('before'), ['\\Seen']))
  await poll()
  const { folderPaths } = await bench.channels.get(channel.id)
  // What was stored is the name of before.
  await bench.channels.change(channel.id, {
    folderPaths: { ...folderPaths, sent: { path: 'Sent Items', lookedAt: new Date(0).toISOString() } },
  })
  await asOwner(client => client.append('Sent', letter('after'), ['\\Seen']))
  await poll()
  expect((await bench.channels.get(channel.id)).folderPaths.sent?.path).toBe('Sent')
  // Its new place is read with the turn after that which found it.
  await poll()
  expect(await subjects()).toEqual(['before', 'after'])
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
  expect((await subjects()).filter(subject => subject === 'filed later')).toHaveLength(1)
})
