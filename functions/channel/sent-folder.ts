/** The Sent folder of a mailbox: is this mail in it, and if need be, put it there. */

import type { ImapFlow } from 'imapflow'
import { connectImapFlow, endImapFlow, imapFlowFault, sentPath } from './imap-flow.ts'
import type { ImapLogin } from './imap-sign-in.ts'

export interface SentFolder {
  /**
   * Looks by Message-ID, then by our own header, which also finds a copy whose Message-ID the provider replaced.
   * @returns the Message-ID under which it lies there
   */
  find(message: { id: string; messageId: string }): Promise<{ messageId: string } | undefined>
  /** Files a mail as read. */
  append(raw: Uint8Array, sentAt: Date): Promise<void>
  close(): Promise<void>
}

/** @throws PostroomError `imap_unreachable`, `imap_throttled` or what the server said: a look is no verdict on a login */
export type OpenSentFolder = (login: ImapLogin, limits?: { timeoutMs?: number }) => Promise<SentFolder>

/** Some servers do not search what they have just filed, or not in headers they do not know. */
const newestCount = 50
const idHeaders = ['message-id', 'x-postroom-id']

export const openSentFolder: OpenSentFolder = async (login, limits) => {
  let client: ImapFlow | undefined
  try {
    client = await connectImapFlow(login, limits)
    const path = await sentPath(client)
    const open = client
    const { exists } = await open.mailboxOpen(path, { readOnly: true })
    return {
      find: message => guarded(() => find(open, message, exists)),
      append: (raw, sentAt) =>
        guarded(async () => {
          if (!(await open.append(path, raw, ['\\Seen'], sentAt)))
            throw new Error('the server did not file the copy')
        }),
      close: () => endImapFlow(open),
    }
  } catch (error) {
    client?.close()
    throw imapFlowFault(error)
  }
}

async function find(client: ImapFlow, { id, messageId }: { id: string; messageId: string }, exists: number) {
  const uid =
    (await newest(client, { 'Message-ID': messageId })) ?? (await newest(client, { 'X-Postroom-Id': id }))
  if (uid !== undefined) {
    const mail = await client.fetchOne(String(uid), { headers: idHeaders }, { uid: true })
    return { messageId: (mail && headerIn(mail.headers, 'message-id')) || messageId }
  }
  if (exists === 0) return undefined
  const range = `${Math.max(1, exists - newestCount + 1)}:*`
  for (const { headers } of await client.fetchAll(range, { headers: idHeaders })) {
    const found = headerIn(headers, 'message-id')
    if (found === messageId || headerIn(headers, 'x-postroom-id') === id)
      return { messageId: found || messageId }
  }
  return undefined
}

async function newest(client: ImapFlow, header: Record<string, string>): Promise<number | undefined> {
  const uids = await client.search({ header }, { uid: true })
  return uids ? uids.at(-1) : undefined
}

/** RFC 5322 2.2.3: a long value goes on in lines that begin with white space. */
function headerIn(headers: Buffer | undefined, name: string): string {
  const lines = (headers?.toString('latin1') ?? '').replace(/\r\n[ \t]+/g, ' ').split('\r\n')
  const line = lines.find(text => text.toLowerCase().startsWith(`${name}:`))
  return line?.slice(name.length + 1).trim() ?? ''
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw imapFlowFault(error)
  }
}
