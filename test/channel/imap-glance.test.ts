/** The idle poll on the wire: how little it says, what it makes of every answer, and that nothing makes it hang. */

import { expect, test, vi } from 'vitest'
import { glance } from '../../functions/channel/imap-glance.ts'
import { startRawImap } from '../support/raw-imap.ts'
import { textsOf, thrownBy } from '../support/thrown-error.ts'

const login = { user: 'ada@contoso.example', accessToken: 'token-that-nobody-may-see' }
const ready = '* OK ready\r\n'
const state = '* STATUS "INBOX" (UIDNEXT 42 UIDVALIDITY 7)\r\n'

/** A server with manners; `changes` answers some commands differently. */
function manners(changes: Record<string, string | null> = {}) {
  return (line: string) => {
    const [tag = '', command = ''] = line.split(' ')
    const change = changes[command]
    if (change !== undefined) return change?.replaceAll('{tag}', tag) ?? null
    if (command === 'STATUS') return `${state}${tag} OK\r\n`
    if (command === 'LOGOUT') return `* BYE\r\n${tag} OK\r\n`
    return `${tag} OK\r\n`
  }
}

test('an idle poll: one connection, two bursts after the greeting, three commands, and no socket stays', async () => {
  const imap = await startRawImap(ready, manners())
  const states = await glance({ ...login, server: imap.server }, ['INBOX'])
  expect(states.get('INBOX')).toEqual({ uidNext: 42, uidValidity: '7' })
  expect(imap.bursts.map(lines => lines.map(line => line.split(' ')[1]))).toEqual([
    ['AUTHENTICATE'],
    ['STATUS', 'LOGOUT'],
  ])
  expect(imap.connections).toBe(1)
  await vi.waitUntil(() => imap.open() === 0)
})

test('the initial response is what XOAUTH2 wants', async () => {
  const imap = await startRawImap(ready, manners())
  await glance({ ...login, server: imap.server }, ['INBOX'])
  const [, , , response = ''] = (imap.lines[0] ?? '').split(' ')
  expect(Buffer.from(response, 'base64').toString()).toBe(
    `user=${login.user}\x01auth=Bearer ${login.accessToken}\x01\x01`,
  )
})

test('a server that lists what it can, without SASL-IR, gets the response when it asks for it', async () => {
  const imap = await startRawImap('* OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2] ready\r\n', line =>
    line === 'a AUTHENTICATE XOAUTH2' ? '+ \r\n' : line.includes(' ') ? manners()(line) : 'a OK\r\n',
  )
  expect((await glance({ ...login, server: imap.server }, ['INBOX'])).get('INBOX')?.uidNext).toBe(42)
})

test('a server that knows no initial response, and does not say so, gets another chance', async () => {
  const imap = await startRawImap(ready, line => {
    if (line.startsWith('a ')) return 'a BAD Too many arguments\r\n'
    if (line === 'b AUTHENTICATE XOAUTH2') return '+ \r\n'
    return line.includes(' ') ? manners()(line) : 'b OK\r\n'
  })
  expect((await glance({ ...login, server: imap.server }, ['INBOX'])).get('INBOX')?.uidNext).toBe(42)
})

test('Gmail’s refusal: a challenge that explains, an empty line, then NO', async () => {
  const challenge = Buffer.from('{"status":"400","schemes":"Bearer"}').toString('base64')
  const imap = await startRawImap(ready, line =>
    line === '' ? 'a NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n' : `+ ${challenge}\r\n`,
  )
  const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX']))
  expect(error.code).toBe('imap_auth_refused')
  expect(imap.lines.at(-1)).toBe('')
})

test.each<[string, string, Record<string, string | null>]>([
  ['imap_auth_refused', 'NO to the sign-in', { AUTHENTICATE: '{tag} NO AUTHENTICATE failed.\r\n' }],
  ['imap_unreachable', 'a socket that drops in the sign-in', { AUTHENTICATE: null }],
  ['imap_unreachable', 'a socket that drops after it', { STATUS: null }],
  [
    'imap_not_connected',
    'no mailbox behind it',
    { STATUS: '{tag} BAD User is authenticated but not connected.\r\n' },
  ],
  [
    'imap_not_connected',
    'good-bye instead of the mailbox',
    { STATUS: '* BYE User is authenticated but not connected.\r\n' },
  ],
  [
    'imap_throttled',
    'a throttle',
    { STATUS: '{tag} BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds\r\n' },
  ],
  ['imap_unreachable', 'a line that is no IMAP', { STATUS: 'Server Unavailable. 15\r\n' }],
  [
    'imap_session_ended',
    'a session that ended',
    { STATUS: '* BYE Session invalidated - AccessTokenExpired\r\n' },
  ],
])('%s: %s', async (code, _what, changes) => {
  const imap = await startRawImap(ready, manners(changes))
  const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX']))
  expect(error.code).toBe(code)
  expect(textsOf(error)).not.toContain(login.accessToken)
  await vi.waitUntil(() => imap.open() === 0)
})

test('how long the server wants to be left alone is handed back, not waited for', async () => {
  const said = '{tag} BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds\r\n'
  const imap = await startRawImap(ready, manners({ STATUS: said }))
  const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX']))
  expect(error.retryAfterMs).toBe(92_415)
})

test('several folders cost no further round trip; one that is missing hides none of the others', async () => {
  const imap = await startRawImap(ready, line => {
    const tag = line.split(' ')[0]
    if (line.includes('"Gone"')) return `${tag} NO [NONEXISTENT] Unknown mailbox\r\n`
    return manners()(line)
  })
  const states = await glance({ ...login, server: imap.server }, ['INBOX', 'Gone', 'Sent "Items"'])
  expect([...states.values()].map(found => found?.uidNext)).toEqual([42, undefined, 42])
  expect(imap.bursts).toHaveLength(2)
  expect(imap.lines[3]).toContain('"Sent \\"Items\\""')
})

test.each(['NO Ordner gibt es nicht', 'NO [NOPERM] Access denied', 'BAD Invalid mailbox name'])(
  'a folder that is refused with %j hides none of the others; INBOX refused so is no idle mailbox',
  async said => {
    const refusing = (name: string) => (line: string) =>
      line.includes(name) ? `${line.split(' ')[0]} ${said}\r\n` : manners()(line)
    const other = await startRawImap(ready, refusing('"Gone"'))
    const states = await glance({ ...login, server: other.server }, ['Gone', 'INBOX'])
    expect([...states.values()].map(found => found?.uidNext)).toEqual([undefined, 42])
    const inbox = await startRawImap(ready, refusing('INBOX'))
    const error = await thrownBy(() => glance({ ...login, server: inbox.server }, ['Gone', 'INBOX']))
    expect(error.code).toBe('imap_unreachable')
  },
)

test.each<[string, string]>([
  ['{tag} BAD Request is throttled. Suggested Backoff Time: 92415 milliseconds\r\n', 'imap_throttled'],
  ['* BYE going down\r\n', 'imap_unreachable'],
  ['Server Unavailable. 15\r\n', 'imap_unreachable'],
])(
  'what is said of the whole mailbox at one folder, %j, is not taken for a folder that is missing',
  async (said, code) => {
    const imap = await startRawImap(ready, manners({ STATUS: said }))
    const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['Sent']))
    expect(error.code).toBe(code)
  },
)

test.each(['', '* OK never finis', '* OK ready\r\n* 1 EXISTS\r\n'])(
  'a server that stops after %j is left after the time that is allowed',
  async text => {
    const imap = await startRawImap(text, () => undefined)
    const limits = { silenceMs: 200, lifeMs: 400 }
    const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX'], limits))
    expect(error.code).toBe('imap_unreachable')
    await vi.waitUntil(() => imap.open() === 0)
  },
)

test('a server that talks without ever coming to an end is left, too', async () => {
  const imap = await startRawImap(ready, (_line, socket) => {
    const timer = setInterval(() => socket.write('* 1 EXISTS\r\n'), 10)
    socket.once('close', () => clearInterval(timer))
    return undefined
  })
  const limits = { silenceMs: 5_000, lifeMs: 300 }
  const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX'], limits))
  expect(error).toMatchObject({ code: 'imap_unreachable', evidence: 'no end in time' })
})

test.each([
  ['a line without end', 'x'.repeat(2_000_000)],
  ['one literal after another', '* OK {1}\r\na'.repeat(100_000)],
])('%s does not fill the memory', async (_what, flood) => {
  const imap = await startRawImap(`* OK ready\r\n${flood}`, () => undefined)
  const limits = { silenceMs: 1_000, lifeMs: 3_000 }
  const error = await thrownBy(() => glance({ ...login, server: imap.server }, ['INBOX'], limits))
  expect(error.code).toBe('imap_unreachable')
})
