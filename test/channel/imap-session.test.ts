/** What a poll says on the wire: how often it waits for the server, and how it leaves. */

import { expect, test, vi } from 'vitest'
import { openImapSession } from '../../functions/channel/imap-reader.ts'
import { type RawImap, startRawImap } from '../support/raw-imap.ts'

const mails = [1, 2, 3]
const head = (uid: number) =>
  `* ${uid} FETCH (UID ${uid} INTERNALDATE "24-Nov-2026 10:00:00 +0000" RFC822.SIZE 5)\r\n`
const body = (uid: number) => `* ${uid} FETCH (UID ${uid} BODY[] {5}\r\nmail${uid})\r\n`

function answer(line: string): string {
  const [tag = '', command] = line.split(' ')
  const said: Record<string, string> = {
    STATUS: '* STATUS "INBOX" (UIDNEXT 4 UIDVALIDITY 7)\r\n',
    EXAMINE: '* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 4] x\r\n',
    UID: mails.map(line.includes('BODY') ? body : head).join(''),
    LOGOUT: '* BYE\r\n',
  }
  return `${said[command ?? ''] ?? ''}${tag} OK\r\n`
}

const openAt = (imap: RawImap) =>
  openImapSession(
    { server: imap.server, user: 'ada@contoso.example', accessToken: 'token' },
    { lifeMs: 60_000, now: Date.now },
  )
const commandsOf = (imap: RawImap) =>
  imap.bursts.map(lines => lines.map(line => line.replace(/^\S+ /, '').split(' ')[0]))

test('an idle poll waits twice after the greeting, says three commands and leaves with its good-bye', async () => {
  const imap = await startRawImap('* OK ready\r\n', answer)
  const session = await openAt(imap)
  expect((await session.glance(['INBOX'])).get('INBOX')).toEqual({ uidNext: 4, uidValidity: '7' })
  session.close()
  await vi.waitUntil(() => imap.open() === 0)
  expect(commandsOf(imap)).toEqual([['AUTHENTICATE'], ['STATUS'], ['LOGOUT']])
  expect(imap.connections).toBe(1)
})

test('a poll that finds mail goes on over the same connection, and waits four times in all', async () => {
  const imap = await startRawImap('* OK ready\r\n', answer)
  const session = await openAt(imap)
  await session.glance(['INBOX'])
  const { heads } = await session.open('INBOX', { from: 1, to: 200, limit: 200 })
  const texts = []
  for await (const { raw } of session.mails(heads, 1_000)) texts.push(Buffer.from(raw).toString())
  session.close()
  await vi.waitUntil(() => imap.open() === 0)
  expect(texts).toEqual(['mail1', 'mail2', 'mail3'])
  expect(commandsOf(imap)).toEqual([['AUTHENTICATE'], ['STATUS'], ['EXAMINE', 'UID'], ['UID'], ['LOGOUT']])
  expect(imap.connections).toBe(1)
})
