/** Whatever an app or a stranger's mail puts into a field that becomes a header: it is refused by name, or it stays a value. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accept } from '../../functions/channel/accept.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import { openLoopBrake } from '../../functions/channel/loop-brake.ts'
import type { MailStore } from '../../functions/channel/mail-store.ts'
import { openMessages } from '../../functions/channel/messages.ts'
import { openOutbox } from '../../functions/channel/outbox.ts'
import { openThreads } from '../../functions/channel/threads.ts'
import { newChannel, newOutbound } from '../storage-contract/nouns.ts'
import { openMemoryTable } from '../support/memory-table.ts'
import { providersWith } from '../support/test-providers.ts'

const alias = 'sales@contoso.example'
const document = { to: [{ address: 'customer@outside.example' }], subject: 'Hello', text: 'Hi' }

/** Accepts into memory. */
function openAccept() {
  const main = openMemoryTable()
  const objects = new Map<string, Uint8Array>()
  const mail: MailStore = {
    put: async (key, bytes) => void objects.set(key, bytes),
    read: async key => objects.get(key),
    size: async key => objects.get(key)?.byteLength,
    stream: async () => undefined,
  }
  const now = () => Date.parse('2026-11-26T08:00:00.000Z')
  const services = {
    mail,
    threads: openThreads({ main }),
    messages: openMessages({ main, mail }),
    outbox: openOutbox({ main }),
    loopBrake: openLoopBrake({ main, now }),
    providers: providersWith({}),
    now,
  }
  const channel = newChannel({ aliases: [alias] })
  return {
    channel,
    messages: services.messages,
    async accept(changes: object) {
      const message = await accept(
        { channel, idempotencyKey: 'only', document: { ...document, ...changes } },
        services,
      )
      return { message, raw: Buffer.from(objects.get(message.rawKey) ?? []).toString('latin1') }
    },
  }
}

const own =
  /^(From|To|Reply-To|Subject|Message-ID|In-Reply-To|References|Date|MIME-Version|Content-Type|Content-Transfer-Encoding|Content-Disposition|X-Postroom-Id)$/i

/** What goes over the wire has our headers only, each once, in lines that every server takes. */
function expectOnlyOurHeaders(raw: string): void {
  expect(raw).not.toContain('\0')
  expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  const head = raw.slice(0, raw.indexOf('\r\n\r\n'))
  // Printable ASCII and what folds it.
  expect(head.replaceAll('\r\n', '')).toMatch(/^[\t\x20-\x7e]*$/)
  for (const line of head.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998)
  const names = head.split(/\r\n(?![ \t])/).map(field => field.slice(0, field.indexOf(':')).toLowerCase())
  for (const name of names) expect(name).toMatch(own)
  expect(new Set(names).size).toBe(names.length)
}

const pieces = [
  ...['\r\nBcc: evil@evil.example', '\r\n\r\n', '\n', '\r', '\0', '\t', '\x7f', '\u0085', '\u2028', '\ud800'],
  ...[
    '=?utf-8?Q?=0D=0ABcc:_x?=',
    '<',
    '>',
    '"',
    '\\',
    ',',
    ';',
    ':',
    '(',
    ')',
    '@',
    '/',
    '--',
    '; boundary=x',
  ],
  ...['ä', '한', ' '.repeat(90), 'x'.repeat(500)],
]
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 100 }),
  fc.array(fc.constantFrom(...pieces), { maxLength: 6 }).map(parts => parts.join('')),
)
const ids = fc.oneof(
  hostile,
  hostile.map(text => `<${text}@outside.example>`),
  hostile.map(text => `<a@${text}>`),
)
const from = fc.record(
  {
    address: fc.oneof(
      fc.constant(alias),
      hostile,
      hostile.map(text => `${alias}${text}`),
    ),
    name: hostile,
  },
  { requiredKeys: ['address'] },
)
const attachment = fc.record({
  filename: fc.oneof(fc.constant('a.txt'), hostile),
  contentType: fc.oneof(
    fc.constantFrom('image/png', 'message/rfc822', 'multipart/mixed', 'text/html; charset=utf-8'),
    hostile,
    hostile.map(text => `text/${text}`),
    hostile.map(text => `${text}/plain`),
  ),
  content: fc.base64String({ maxLength: 40 }),
  contentId: fc.oneof(fc.constant(undefined), fc.constant('logo@contoso'), hostile),
})
/** One field of them, so that most of what is refused is refused for it alone. */
const changes: fc.Arbitrary<object> = fc.oneof(
  from.map(from => ({ from })),
  ids.map(inReplyTo => ({ inReplyTo })),
  attachment.map(file => ({ html: '<img src="cid:logo@contoso">', attachments: [file] })),
  // It is not for the app to give: the chain is the parent's.
  ids.map(id => ({ references: [id] })),
)

test('a from, inReplyTo, references or contentType of any kind is told with field, rule and value, or is only a value', async () => {
  const seen = { accepted: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(changes, async given => {
      try {
        const { raw, message } = await openAccept().accept(given)
        seen.accepted += 1
        expectOnlyOurHeaders(raw)
        // The envelope is made of these.
        for (const { address } of [...message.from, ...message.to]) expect(address).toMatch(/^[\x21-\x7e]+$/)
      } catch (error) {
        if (!(error instanceof PostroomError)) throw error
        seen.refused += 1
        expect(error.code).toBe('request_invalid')
        expect(error.errors.length).toBeGreaterThan(0)
        for (const { field, rule, found } of error.errors) {
          expect(Object.keys(given)).toContain(field.split('.')[0])
          expect(rule).not.toBe('')
          expect(found).toEqual(expect.any(String))
        }
      }
    }),
    { numRuns: 1_000 },
  )
  expect(seen.accepted).toBeGreaterThan(50)
  expect(seen.refused).toBeGreaterThan(50)
})

test('a stranger’s Message-ID and References, whatever they hold, bring nothing into a reply but ids', async () => {
  let kept = 0
  await fc.assert(
    fc.asyncProperty(ids, fc.array(ids, { maxLength: 5 }), async (messageId, references) => {
      const { accept, channel, messages } = openAccept()
      const stranger = { ...newOutbound(channel, '2026-11-26T07:00:00.000Z'), messageId, references }
      await messages.create(stranger)
      const { raw, message } = await accept({ inReplyTo: stranger.id })
      expectOnlyOurHeaders(raw)
      kept += message.references.length
    }),
    { numRuns: 500 },
  )
  expect(kept).toBeGreaterThan(20)
})
