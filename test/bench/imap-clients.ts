/** Polling and fetching as Postroom does it, and as a bare loop with imapflow does it. */

import { ImapFlow } from 'imapflow'
import { openImapSession } from '../../functions/channel/imap-reader.ts'
import { groupsOf } from '../../functions/fetch/groups.ts'
import type { Account } from './imap-floor.ts'

type OnMail = (raw: Uint8Array) => Promise<unknown> | undefined

const loginOf = ({ port, user, token }: Account) => ({
  server: { host: 'localhost', port, security: 'tls' as const },
  user,
  accessToken: token,
})
/** More than any mail here. */
const keepBytes = 40 * 1024 * 1024
const headsPerList = 200

const openSession = (account: Account) =>
  openImapSession(loginOf(account), { lifeMs: 300_000, now: Date.now })

/** @throws Error if the server did not say where its UIDs end */
export async function pollByPostroom(account: Account): Promise<void> {
  const session = await openSession(account)
  try {
    const states = await session.glance(['INBOX'])
    if (!states.get('INBOX')) throw new Error('No state')
  } finally {
    session.close()
  }
}

/** Lists and groups as a poll does it; one that finds mail has glanced first. @returns how many came */
export async function fetchByPostroom(account: Account, onMail: OnMail, hasGlanced = false): Promise<number> {
  const session = await openSession(account)
  let count = 0
  try {
    if (hasGlanced) await session.glance(['INBOX'])
    let from = 1
    const range = () => ({ from, to: from + headsPerList - 1, limit: headsPerList })
    const { uidNext, heads: first } = await session.open('INBOX', range())
    for (let heads = first; ; heads = await session.heads(range())) {
      for (const group of groupsOf(heads)) {
        for await (const { raw } of session.mails(group, keepBytes)) {
          count += 1
          await onMail(raw)
        }
      }
      from += headsPerList
      if (from >= uidNext) return count
    }
  } finally {
    session.close()
  }
}

async function openImapflow({ port, user, token }: Account): Promise<ImapFlow> {
  const client = new ImapFlow({
    host: 'localhost',
    port,
    secure: true,
    auth: { user, accessToken: token },
    logger: false,
    disableAutoIdle: true,
  })
  await client.connect()
  return client
}

export async function pollByImapflow(account: Account): Promise<void> {
  const client = await openImapflow(account)
  await client.status('INBOX', { uidNext: true, uidValidity: true })
  await client.logout()
}

/** @returns how many came */
export async function fetchByImapflow(account: Account, onMail: OnMail, hasGlanced = false): Promise<number> {
  const client = await openImapflow(account)
  if (hasGlanced) await client.status('INBOX', { uidNext: true, uidValidity: true })
  await client.mailboxOpen('INBOX', { readOnly: true })
  let count = 0
  for await (const { source } of client.fetch('1:*', { uid: true, source: true })) {
    if (!source) continue
    count += 1
    await onMail(source)
  }
  await client.logout()
  return count
}
