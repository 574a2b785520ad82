/** The copy of a sent mail lies where its mailbox's owner looks for it: once, read, whoever filed it. */

import { describe, expect, onTestFinished, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import { connectImapFlow, endImapFlow, sentPath } from '../../functions/channel/imap-flow.ts'
import { leaseKeys } from '../../functions/channel/lease.ts'
import { type Providers, providerOf } from '../../functions/channel/provider.ts'
import type { OpenSentFolder } from '../../functions/channel/sent-folder.ts'
import { drain } from '../../functions/send/drain.ts'
import { useEngines } from '../support/engines.ts'
import { playSentFolder } from '../support/played-sent-folder.ts'
import { useSandbox } from '../support/sandbox-mailboxes.ts'
import { startScriptedSmtp } from '../support/scripted-smtp.ts'
import { invocationMs, type SendingChannel, startSendingChannel } from '../support/sending-channel.ts'
import { openWorkbench } from '../support/workbench.ts'

const engines = useEngines()
const mailboxes = useSandbox()
const minuteMs = 60_000

describe('at a mail server', () => {
  const support = 'support@contoso.example'
  const shared = {
    email: support,
    sharedMailbox: support,
    login: { imap: support, smtp: 'ada@contoso.example' },
  }

  /** A channel of ada's at the sandbox. */
  async function openMailbox({ providers, ...changes }: Partial<Channel> & { providers: Providers }) {
    const { apps, clock } = mailboxes
    const bench = openWorkbench(await engines.fresh(), { providers, apps, clock })
    const channel = await mailboxes.connect(bench, 'ada', changes)

    /** Opens Sent as its owner's mail program does. */
    async function openSent() {
      const { imap: server } = providerOf(providers, channel.provider)
      const accessToken = await bench.tokens.accessToken(channel)
      const client = await connectImapFlow({ server, user: channel.login.imap, accessToken })
      onTestFinished(() => endImapFlow(client))
      const path = await sentPath(client)
      return { client, path, mailbox: await client.mailboxOpen(path) }
    }

    return {
      bench,
      openSent,
      accept(subject: string) {
        const document = { to: [{ address: 'customer@outside.example' }], subject, text: 'Hi' }
        return accept({ channel, idempotencyKey: 'only', document }, bench)
      },
      async drain(times = 1) {
        for (let runs = 0; runs < times; runs++) {
          await drain(channel.id, { services: bench, deadlineMs: bench.now() + invocationMs })
          bench.clock.advance(2 * minuteMs)
        }
      },
      async copiesOf({ messageId }: { messageId: string }) {
        const { client, mailbox } = await openSent()
        const mails = mailbox.exists > 0 ? await client.fetchAll('1:*', { flags: true, envelope: true }) : []
        return mails
          .filter(({ envelope }) => envelope?.messageId === messageId)
          .map(({ flags }) => [...(flags ?? [])].filter(flag => flag !== '\\Recent'))
      },
    }
  }

  test('what is sent as a shared mailbox is filed in its Sent after a look, read, and never a second time', async () => {
    const mailbox = await openMailbox({ ...shared, providers: mailboxes.providers })
    const message = await mailbox.accept('shared')
    await mailbox.drain()
    expect(await mailbox.copiesOf(message)).toEqual([])
    await mailbox.drain(3)
    expect(await mailbox.copiesOf(message)).toEqual([['\\Seen']])
  })

  test('a copy that the tenant has filed in the shared Sent by itself stays the only one', async () => {
    const mailbox = await openMailbox({ ...shared, providers: mailboxes.providers })
    const message = await mailbox.accept('filed by the tenant')
    await mailbox.drain()
    const { client, path } = await mailbox.openSent()
    const raw = await mailbox.bench.mail.read(message.rawKey)
    await client.append(path, raw ?? '', ['\\Answered'])
    await mailbox.drain(3)
    expect(await mailbox.copiesOf(message)).toEqual([['\\Answered']])
  })

  test('where the provider files no copies, we file one; where it files its own, we file none', async () => {
    const { microsoft } = mailboxes.providers
    if (!microsoft) throw new Error('There is no entry for microsoft')
    // It keeps nothing of what it takes, so that every copy is ours.
    const { server: smtp } = await startScriptedSmtp()
    for (const savesSentCopies of [false, true]) {
      const mailbox = await openMailbox({ providers: { microsoft: { ...microsoft, smtp, savesSentCopies } } })
      const message = await mailbox.accept(`the provider's own: ${savesSentCopies}`)
      await mailbox.drain(4)
      expect(await mailbox.copiesOf(message)).toEqual(savesSentCopies ? [] : [['\\Seen']])
    }
  })
})

describe('a drain whose lease another takes over', () => {
  /** Two mails are sent, and each waits for the copy of it that we are to file. */
  async function setUp() {
    const sending = await startSendingChannel(engines)
    const { microsoft } = sending.bench.providers
    if (!microsoft) throw new Error('There is no entry for microsoft')
    const providers: Providers = { microsoft: { ...microsoft, savesSentCopies: false } }
    const drainWith = (openSent: OpenSentFolder, leftMs = invocationMs) =>
      drain(sending.channel.id, {
        services: { ...sending.bench, providers, openSent },
        deadlineMs: sending.bench.now() + leftMs,
      })
    const first = await sending.accept('first')
    await sending.accept('second')
    await drainWith(() => Promise.reject(new Error('nothing is to be looked for yet')))
    sending.bench.clock.advance(2 * minuteMs)
    return { sending, first, drainWith }
  }

  async function takeOver({ bench, channel }: SendingChannel): Promise<void> {
    bench.clock.advance(minuteMs)
    const untilMs = bench.now() + minuteMs
    await bench.main.update(leaseKeys.outbox(channel.id), { set: { holder: 'another', untilMs } })
  }

  test('files no copy, which the other may have filed meanwhile, and looks for nothing more', async () => {
    const { sending, first, drainWith } = await setUp()
    const sent = playSentFolder()
    sent.duringLook = () => takeOver(sending)
    await drainWith(sent.open)
    expect(sent.looks).toMatchObject([{ id: first.id }])
    expect(sent.filed).toEqual([])
  })

  test('leaves what it did not come to: the next drain files each copy once', async () => {
    const { sending, drainWith } = await setUp()
    const sent = playSentFolder()
    sent.duringLook = () => takeOver(sending)
    await drainWith(sent.open)
    sent.duringLook = async () => undefined
    for (let runs = 0; runs < 2; runs++) {
      sending.bench.clock.advance(2 * minuteMs)
      await drainWith(sent.open)
    }
    expect(sent.filed).toHaveLength(2)
    expect(new Set(sent.filed).size).toBe(2)
    expect(await sending.bench.outbox.rows(sending.channel.id, 10)).toEqual([])
  })

  test('no look begins, and no copy is filed, with less than a minute left', async () => {
    const { sending, first, drainWith } = await setUp()
    const sent = playSentFolder()
    sent.duringLook = async () => sending.bench.clock.advance(invocationMs - minuteMs + 1)
    await drainWith(sent.open)
    expect(sent.looks).toMatchObject([{ id: first.id }])
    expect(sent.filed).toEqual([])
  })
})
