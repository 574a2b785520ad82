/** What a poll says on the wire: how often it waits for the server, and how it leaves. */

import { expect, test, vi } from 'vitest'
import { openImapSession } from '../../functions/channel/imap-reader.ts'
import { type RawImap, startRawImap } from '../support/raw-imap.ts'
import { thrownBy } from '../support/thrown-error.ts'

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

test('a range behind the newest mail holds the newest mail (RFC 3501 6.4.8), which is no new one', async () => {
  const imap = await startRawImap('* OK ready\r\n', line =>
    line.includes('UID FETCH 4:') ? `${head(3)}${line.split(' ')[0]} OK\r\n` : answer(line),
  )
  const session = await openAt(imap)
  const range = { from: 4, to: 203, limit: 200 }
  expect((await session.open('INBOX', range)).heads).toEqual([])
  expect(await session.heads(range)).toEqual([])
  session.close()
})

test.each([
  '* 2 FETCH (UID 2)\r\n',
  '* 2 FETCH (UID 2 BODY[] NIL)\r\n',
  '* 2 FETCH (UID 2 BODY[] "")\r\n',
  '* 2 FETCH (UID 2 BODY[] {0}\r\n)\r\n',
  '',
])('a mail that is answered with %j is not given, and the others are', async empty => {
  const imap = await startRawImap('* OK ready\r\n', line =>
    line.includes('BODY') ? `${body(1)}${empty}${body(3)}${line.split(' ')[0]} OK\r\n` : answer(line),
  )
  const session = await openAt(imap)
  const { heads } = await session.open('INBOX', { from: 1, to: 200, limit: 200 })
  const uids = []
  for await (const { uid } of session.mails(heads, 1_000)) uids.push(uid)
  session.close()
  expect(uids).toEqual([1, 3])
})

test.each<[string, string | null]>([
  ['imap_session_ended', '* BYE Session invalidated - AccessTokenExpired\r\n'],
  ['imap_unreachable', '* BYE Server shutting down\r\n'],
  ['imap_unreachable', null],
])(
  '%s: a server that leaves with %j among the mails leaves no socket, and what came before is kept',
  async (code, farewell) => {
    const imap = await startRawImap('* OK ready\r\n', (line, socket) => {
      if (!line.includes('BODY')) return answer(line)
      if (farewell !== null) return `${body(1)}${farewell}`
      socket.end(body(1))
      return undefined
    })
    const session = await openAt(imap)
    const { heads } = await session.open('INBOX', { from: 1, to: 200, limit: 200 })
    const uids: number[] = []
    const error = await thrownBy(async () => {
      for await (const { uid } of session.mails(heads, 1_000)) uids.push(uid)
    })
    session.close()
    expect([error.code, uids]).toEqual([code, [1]])
    await vi.waitUntil(() => imap.open() === 0)
  },
)

test('nothing is enabled, and no IMAP4rev2 spoken, whatever the server offers', async () => {
  const offer = '[CAPABILITY IMAP4rev1 IMAP4rev2 SASL-IR ENABLE CONDSTORE QRESYNC]'
  const imap = await startRawImap(`* OK ${offer} ready\r\n`, line =>
    line.includes('AUTHENTICATE') ? `${line.split(' ')[0]} OK ${offer} in\r\n` : answer(line),
  )
  const session = await openAt(imap)
  await session.glance(['INBOX'])
  await session.open('INBOX', { from: 1, to: 200, limit: 200 })
  session.close()
  await vi.waitUntil(() => imap.open() === 0)
  const said = imap.lines.join('\n')
  expect(said).not.toMatch(/ENABLE|rev2|CONDSTORE|QRESYNC|RETURN|ESEARCH/i)
})
