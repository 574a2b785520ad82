/** A mailbox as its owner's mail program sees it: an IMAP connection of the test's own, which may write. */

import { createHash } from 'node:crypto'
import { ImapFlow } from 'imapflow'
import { onTestFinished } from 'vitest'
import type { MailServer } from '../../functions/channel/provider.ts'

export interface OwnersView {
  /** Everything in the folder, in the order of arrival. */
  mails(): Promise<{ uid: number; flags: string[]; sha256: string; text: string }[]>
  /** How many there are now. */
  count(): Promise<number>
  uidValidity(): Promise<string>
  markRead(uid: number): Promise<void>
  expunge(uid: number): Promise<void>
  move(uid: number, toFolder: string): Promise<void>
  /** The one mail that contains the text, once it is there. @throws Error after ten seconds */
  arrived(text: string): Promise<{ uid: number; text: string }>
}

const arrivalTimeoutMs = 10_000

/** Opens a folder, which is made if need be, until the end of the test. */
export async function openOwnersView(login: {
  server: MailServer
  user: string
  accessToken: string
  /** The inbox, if it is left out. */
  folder?: string
}): Promise<OwnersView> {
  const { server, user, accessToken, folder = 'INBOX' } = login
  const client = new ImapFlow({
    host: server.host,
    port: server.port,
    secure: server.security === 'tls',
    auth: { user, accessToken },
    logger: false,
    disableAutoIdle: true,
  })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.close())
  if (folder !== 'INBOX') await client.mailboxCreate(folder)
  await client.mailboxOpen(folder)

  async function mails() {
    // Tells what came in since.
    await client.noop()
    const found = await client.fetchAll('1:*', { uid: true, flags: true, source: true })
    return found.map(({ uid, flags, source = Buffer.alloc(0) }) => ({
      uid,
      flags: [...(flags ?? [])].filter(flag => flag !== '\\Recent').toSorted(),
      sha256: createHash('sha256').update(source).digest('hex'),
      text: source.toString('latin1'),
    }))
  }

  return {
    mails,
    async count() {
      const { messages = 0 } = (await client.status(folder, { messages: true })) || {}
      return messages
    },
    async uidValidity() {
      const { uidValidity } = (await client.status(folder, { uidValidity: true })) || {}
      return String(uidValidity)
    },
    async markRead(uid) {
      await client.messageFlagsAdd(String(uid), ['\\Seen'], { uid: true })
    },
    async expunge(uid) {
      await client.messageDelete(String(uid), { uid: true })
    },
    async move(uid, toFolder) {
      await client.messageMove(String(uid), toFolder, { uid: true })
    },
    async arrived(text) {
      const deadlineMs = Date.now() + arrivalTimeoutMs
      for (;;) {
        const mail = (await mails()).find(candidate => candidate.text.includes(text))
        if (mail) return mail
        if (Date.now() > deadlineMs) throw new Error(`No mail with "${text}" came to ${user}`)
        await new Promise(resolve => setTimeout(resolve, 50))
      }
    },
  }
}
