/** Whatever bytes a server says, in whatever pieces: reading ends in time, with a result or with a fault of the table. */

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { PostroomError } from '../../functions/channel/faults.ts'
import { folderRoles } from '../../functions/channel/folder-roles.ts'
import { pathOf } from '../../functions/channel/imap-folders.ts'
import { glance } from '../../functions/channel/imap-glance.ts'
import { openImapSession } from '../../functions/channel/imap-reader.ts'
import { startRawImap } from '../support/raw-imap.ts'

const limits = { silenceMs: 150, lifeMs: 300 }
/** Far more than any answer, far less than what a flood could fill. */
const memoryBytes = 200 * 1024 * 1024

/** What servers say, whole and torn, and what no server says. */
const words = [
  '* OK ready\r\n',
  '* OK [CAPABILITY IMAP4rev1 SASL-IR] x\r\n',
  '* BYE gone\r\n',
  'a OK done\r\n',
  'a NO [LIMIT] later\r\n',
  'a BAD what\r\n',
  '+ \r\n',
  '+ eyJzdGF0dXMiOiI0MDAifQ==\r\n',
  '* STATUS INBOX (UIDNEXT 3 UIDVALIDITY 9)\r\n',
  '* STATUS INBOX (UIDNEXT 99999999999999 UIDVALIDITY -1)\r\n',
  '* STATUS {5}\r\nINBOX (UIDNEXT 3 UIDVALIDITY 9)\r\n',
  's0 OK\r\n',
  's0 NO nonexistent\r\n',
  'z OK\r\n',
  'f1 OK\r\n',
  'f2 OK\r\n',
  'f3 OK\r\n',
  '* 3 EXISTS\r\n',
  '* OK [UIDVALIDITY 9] x\r\n* OK [UIDNEXT 4] x\r\n',
  '* 1 FETCH (UID 1 INTERNALDATE "24-Nov-2026 10:00:00 +0000" RFC822.SIZE 5)\r\n',
  '* 1 FETCH (UID 1 BODY[] {5}\r\nhello)\r\n',
  '* 1 FETCH (FLAGS (UID 2) UID 1 BODY[] {4294967296}\r\n',
  '* 1 FETCH (BODY[] "quo\\"ted" UID 1)\r\n',
  '* 1 FETCH (BODY[] NIL UID 1)\r\n',
  '* 1 FETCH (UID 1 BODY[] {99999999999}\r\n',
  '* SEARCH 1 2 3\r\n',
  '* LIST (\\Sent) "/" "&AMk-l&!!-"\r\n',
  '* LIST (\\HasNoChildren) NIL {4}\r\nSent\r\n',
  '{0}\r\n',
  '\r\n',
  '\0',
  'Server Unavailable. 15\r\n',
]

const speech = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...words).map(word => Buffer.from(word)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(...words).map(word => Buffer.from(word).subarray(0, word.length >> 1)),
    },
  ),
  { maxLength: 12 },
)
const script = fc.record({
  speech,
  /** Where the bytes are torn apart on their way. */
  cuts: fc.array(fc.nat({ max: 400 }), { maxLength: 4 }),
  ending: fc.constantFrom('stay' as const, 'close' as const),
})

function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const places = [0, ...cuts.filter(cut => cut < bytes.length).sort((a, b) => a - b), bytes.length]
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end))
}

test.each<[string, (login: Parameters<typeof glance>[0]) => Promise<unknown>]>([
  ['a glance', login => glance(login, ['INBOX'], limits)],
  [
    'a session that reads',
    async login => {
      const session = await openImapSession(login, { ...limits, now: Date.now })
      try {
        await session.glance(['INBOX'])
        for (const role of folderRoles) pathOf(role, await session.list())
        const { heads } = await session.open('INBOX', { from: 1, to: 100, limit: 100 })
        await session.arrivedSince(new Date(0), { from: 1, to: 100, limit: 100 })
        for await (const mail of session.mails(heads, 1024))
          expect(mail.raw.byteLength).toBeLessThanOrEqual(1024)
      } finally {
        session.close()
      }
    },
  ],
])('%s ends with a result or a known fault, and leaves no socket', async (_what, read) => {
  let said: { speech: Buffer[]; cuts: number[]; ending: 'stay' | 'close' } = {
    speech: [],
    cuts: [],
    ending: 'stay',
  }
  const imap = await startRawImap(
    '',
    () => undefined,
    socket => {
      for (const piece of pieces(Buffer.concat(said.speech), said.cuts)) socket.write(piece)
      if (said.ending === 'close') socket.end()
    },
  )
  const memoryBefore = process.memoryUsage().rss
  await fc.assert(
    fc.asyncProperty(script, async given => {
      said = given
      try {
        await read({ server: imap.server, user: 'ada', accessToken: 'token' })
      } catch (error) {
        expect(error).toBeInstanceOf(PostroomError)
        expect(error).not.toMatchObject({ code: 'internal' })
      }
    }),
    { numRuns: 120 },
  )
  await vi.waitUntil(() => imap.open() === 0, { timeout: 5_000 })
  expect(process.memoryUsage().rss - memoryBefore).toBeLessThan(memoryBytes)
})
