/** What an event holds of a message: all of it, as long as SNS takes it. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventJson } from '../../functions/channel/event-json.ts'
import { presentForEvent } from '../../functions/channel/event-message.ts'
import type { InboundMessage, MessageContent } from '../../functions/channel/messages.ts'

const address = (text: string) => ({ address: `${text}@outside.example`.slice(0, 254), name: text })

function messageWith(changes: Partial<InboundMessage> = {}): InboundMessage {
  return {
    ...{ id: 'msg_1', accountId: 'acme', channelId: 'ch_1', direction: 'inbound', state: 'received' },
    ...{
      messageId: '<1@outside.example>',
      threadId: 'th_1',
      subject: 'Hello',
      inReplyTo: null,
      references: [],
    },
    ...{ from: [address('casey')], to: [address('ada')], cc: [], replyTo: [] },
    ...{ sizeBytes: 1, rawKey: 'raw', contentKey: 'content', fault: null, date: null },
    ...{ receivedAt: '2026-11-24T10:00:00.000Z', folder: 'INBOX', uid: 1, uidValidity: '1' },
    ...{ automatic: null, listId: null, isFromSelf: false, report: null },
    ...changes,
  } as InboundMessage
}

function contentWith(changes: Partial<MessageContent> = {}): MessageContent {
  return {
    ...{
      text: 'Hi',
      html: null,
      htmlSanitized: null,
      reply: 'Hi',
      quoted: null,
      signature: null,
      attachments: [],
    },
    ...changes,
  }
}

const attachment = (filename: string) => ({
  ...{
    filename,
    contentType: 'image/png',
    sizeBytes: 1,
    contentId: null,
    disposition: 'attachment' as const,
  },
  key: 'k',
})
const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value))

test('a message that fits is there whole, without its storage keys', () => {
  const shown = presentForEvent(messageWith(), contentWith({ html: '<p>Hi</p>', htmlSanitized: '<p>Hi</p>' }))
  expect(shown).toMatchObject({ text: 'Hi', html: '<p>Hi</p>', htmlSanitized: '<p>Hi</p>', truncated: [] })
  expect(JSON.stringify(shown)).not.toMatch(/rawKey|contentKey|"key"/)
})

test('HTML goes before text, and what was quoted before what was written', () => {
  const long = 'x'.repeat(100_000)
  const shown = presentForEvent(
    messageWith(),
    contentWith({ html: long, quoted: long, text: long, reply: 'Hi' }),
  )
  expect(shown).toMatchObject({
    html: null,
    quoted: null,
    text: long,
    reply: 'Hi',
    truncated: ['html', 'quoted'],
  })
})

test.each([
  ['of four bytes', '😀'],
  ['that JSON writes with six', '\u0001'],
  ['of three bytes', '語'],
  ['in quotes', '"'],
])('a text of letters %s is cut between letters, and what is left fits', (_what, letter) => {
  const text = letter.repeat(400_000)
  const shown = presentForEvent(messageWith(), contentWith({ text, reply: text }))
  expect(bytesOf(shown)).toBeLessThanOrEqual(200_000)
  expect(JSON.stringify(shown)).not.toContain('\\ud83d')
  expect(shown.truncated).toEqual(['text', 'reply'])
  expect(text.startsWith('reply' in shown ? (shown.reply ?? '-') : '-')).toBe(true)
})

test('hundreds of recipients, ancestors and attachments under long names still make an event', () => {
  const long = '語'.repeat(128)
  const people = Array.from({ length: 100 }, (_, i) => ({ address: `${i}${'é'.repeat(240)}`, name: long }))
  const references = Array.from({ length: 50 }, (_, i) => `<${'r'.repeat(990)}${i}@x>`)
  const attachments = Array.from({ length: 500 }, (_, i) => attachment(`${i}${'語'.repeat(148)}`))
  const message = messageWith({ to: people, cc: people, references, subject: '語'.repeat(2_000) })
  const shown = presentForEvent(message, contentWith({ attachments, html: 'x'.repeat(300_000) }))
  expect(bytesOf(shown)).toBeLessThanOrEqual(200_000)
  expect(shown.attachmentCount).toBe(500)
  expect(shown.truncated).toEqual(['html', 'attachments', 'to', 'cc', 'references'])
  expect(shown.references.at(-1)).toBe(references.at(-1))
})

test('whatever a message holds, its event is below the limit', () => {
  const text = fc
    .tuple(fc.string({ unit: 'binary', maxLength: 20 }), fc.nat({ max: 30_000 }))
    .map(([a, n]) => a.repeat(n))
  fc.assert(
    fc.property(text, text, text, fc.nat({ max: 500 }), (a, b, c, count) => {
      const attachments = Array.from({ length: count }, (_, i) => attachment(`${a.slice(0, 100)}${i}`))
      const shown = presentForEvent(messageWith(), contentWith({ text: a, html: b, quoted: c, attachments }))
      expect(bytesOf(shown)).toBeLessThanOrEqual(200_000)
    }),
    { numRuns: 30 },
  )
})

test('a text of letters that are escaped on their way fits as well', () => {
  const text = '\uffff'.repeat(150_000)
  const shown = presentForEvent(messageWith(), contentWith({ text, reply: text }))
  expect(Buffer.byteLength(eventJson(shown))).toBeLessThanOrEqual(190_000)
  expect(shown.truncated).toContain('text')
})
