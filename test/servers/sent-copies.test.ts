import { describe, expect, onTestFinished, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { openSentFolder, type SentFolder } from '../../functions/channel/sent-folder.ts'
import { drain } from '../../functions/send/drain.ts'
import { startEngines } from '../support/running-engines.ts'
import { invocationMs } from '../support/sending-channel.ts'
import { microsoftWith } from '../support/test-providers.ts'
import { addChannel, openWorkbench } from '../support/workbench.ts'
import { missingForMail } from './installed.ts'
import { useMailSystem } from './mail-system.ts'
import { openOwnersView } from './owners-view.ts'

const user = 'ada@contoso.example'

describe.skipIf(missingForMail !== null)('sent through Postfix, filed at Dovecot', () => {
  const system = useMailSystem()

  /** Postfix files nothing in Sent: every copy there is ours. */
  async function setUp() {
    const engines = await startEngines()
    onTestFinished(() => engines.close())
    const stores = await engines.fresh()
    const { imap, smtp } = system
    const microsoft = microsoftWith({ imap, smtp, savesSentCopies: false })
    const bench = openWorkbench(stores, { providers: { microsoft } })
    const accessToken = await system.tokenOf('ada')
    const channel = await addChannel(bench, { login: { imap: user, smtp: user }, tokens: { accessToken } })
    const document = { to: [{ address: 'margaret@fabrikam.example' }], subject: 'Filed', text: 'Hi' }
    const message = await accept({ channel, idempotencyKey: 'only', document }, bench)
    const sent = await openOwnersView({ server: imap, user, accessToken, folder: 'Sent' })

    return {
      /** @param append how this drain files a copy; as it is deployed, if left out */
      async drain(append?: (file: () => Promise<void>) => Promise<void>) {
        const openSent: typeof openSentFolder = async login => {
          const folder = await openSentFolder(login)
          const instead: SentFolder['append'] = (...mail) =>
            append ? append(() => folder.append(...mail)) : folder.append(...mail)
          return { ...folder, append: instead }
        }
        const services = { ...bench, openSent }
        await drain(channel.id, { services, deadlineMs: bench.now() + invocationMs }).catch(() => undefined)
        stores.failWhen(() => false)
        bench.clock.advance(2 * 60_000)
      },
      /** Nothing that this drain does from now on has an effect. */
      die() {
        stores.failWhen(() => true)
        throw new Error('the drain has died')
      },
      async copies() {
        const mails = await sent.mails()
        return mails
          .filter(({ text }) => text.includes(`Message-ID: ${message.messageId}\r\n`))
          .map(({ flags }) => flags)
      },
    }
  }

  test('a copy lies in Sent under the Message-ID that left, read, and only one', async () => {
    const mailbox = await setUp()
    for (let runs = 0; runs < 3; runs++) await mailbox.drain()
    expect(await mailbox.copies()).toEqual([['\\Seen']])
  })

  test('a drain that dies before it files the copy, and one that dies right after, leave one copy', async () => {
    const mailbox = await setUp()
    await mailbox.drain()
    await mailbox.drain(async () => mailbox.die())
    expect(await mailbox.copies()).toEqual([])
    await mailbox.drain(async file => {
      await file()
      mailbox.die()
    })
    expect(await mailbox.copies()).toEqual([['\\Seen']])
    for (let runs = 0; runs < 2; runs++) await mailbox.drain()
    expect(await mailbox.copies()).toEqual([['\\Seen']])
  })
})
