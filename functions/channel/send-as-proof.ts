/**
 * Proves that a sign-in may send as its mailbox's address. An accepted AUTH does not: Exchange tells only at the
 * end of a mail that the account lacks Send As, which a delegate of a shared mailbox often does. So one marked
 * mail goes from the mailbox to itself, and is taken away again.
 */

import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describeFault, PostroomError } from './faults.ts'
import { randomId } from './identifiers.ts'
import { connectImapFlow, endImapFlow, sentPath } from './imap-flow.ts'
import { errorForLog, log } from './log.ts'
import { messageDocumentSchema } from './message-document.ts'
import { composeMime } from './mime.ts'
import type { Probe } from './probe.ts'
import type { ProviderEntry } from './provider.ts'
import { parse } from './schema-check.ts'
import { openSmtp } from './smtp.ts'

export interface SendAsRequest {
  entry: ProviderEntry
  accessToken: string
  /** The mailbox's address, which is to stand in From. */
  email: string
  /** Longest silence of a server. */
  timeoutMs: number
  now: Date
}

const sendLimitMs = 8_000
/** The mail arrives within seconds; one that is later stays, and says itself what it is. */
const looks = 6
const lookEveryMs = 1_000

/**
 * @param probe what signing in has shown; without a login for sending there is nothing to prove
 * @returns the probe, with sending refused (`send_as_denied` or what the server said) if the mail was
 */
export async function proveSendAs(probe: Probe, request: SendAsRequest): Promise<Probe> {
  const { imap, smtp } = probe
  if (smtp.login === null) return probe
  const id = randomId('proof')
  const messageId = `<${id}@${request.email.slice(request.email.lastIndexOf('@') + 1)}>`
  try {
    await sendToItself(smtp.login, { id, messageId }, request)
  } catch (error) {
    const isVerdict = error instanceof PostroomError && error.row.action === 'reject'
    // A server that is away or slow proves nothing; the next mail will tell.
    if (!isVerdict) return probe
    const fault = describeFault(error)
    const attempt = { login: smtp.login, accepted: false, answer: error.evidence ?? error.code, fault }
    const attempts = [...smtp.attempts, attempt]
    return { imap, smtp: { login: null, isConclusive: true, fault, attempts } }
  }
  if (imap.login !== null) await takeAway(imap.login, { messageId, isCopyHere: false }, request)
  // The copy lies in the Sent of whoever signed in, which for a shared mailbox is not the shared one.
  if (request.entry.savesSentCopies) await takeAway(smtp.login, { messageId, isCopyHere: true }, request)
  return probe
}

async function sendToItself(
  user: string,
  { id, messageId }: { id: string; messageId: string },
  { entry, accessToken, email, timeoutMs, now }: SendAsRequest,
): Promise<void> {
  const raw = await composeMime({
    id,
    messageId,
    date: now,
    from: { address: email, name: null },
    document: parse(messageDocumentSchema, {
      to: [{ address: email }],
      subject: 'Postroom: proof that replies can be sent',
      text: 'This mail proves that replies can be sent as this mailbox. It is removed by itself and can be deleted.',
      automatic: true,
    }),
    files: [],
    inReplyTo: null,
    references: [],
  })
  const session = await openSmtp({ server: entry.smtp, user, accessToken, timeoutMs })
  try {
    const envelope = { from: email, to: [email], sizeBytes: raw.byteLength }
    await session.send(envelope, Readable.from([raw]), { limitMs: sendLimitMs })
  } finally {
    session.close()
  }
}

/** That it could not be taken away is no reason to refuse the mailbox. */
async function takeAway(
  user: string,
  { messageId, isCopyHere }: { messageId: string; isCopyHere: boolean },
  { entry, accessToken, timeoutMs }: SendAsRequest,
): Promise<void> {
  try {
    const client = await connectImapFlow({ server: entry.imap, user, accessToken }, { timeoutMs })
    try {
      await client.mailboxOpen(isCopyHere ? await sentPath(client) : 'INBOX')
      for (let look = 0; look < looks; look++) {
        const uids = await client.search({ header: { 'Message-ID': messageId } }, { uid: true })
        if (uids && uids.length > 0) {
          await client.messageDelete(uids, { uid: true })
          return
        }
        await sleep(lookEveryMs)
        await client.noop()
      }
    } finally {
      await endImapFlow(client)
    }
  } catch (error) {
    log({ event: 'proof_not_removed', folder: isCopyHere ? 'sent' : 'inbox', ...errorForLog(error) })
  }
}
