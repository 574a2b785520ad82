/** The frozen bytes: no header but ours, the same bytes for the same message, and nothing lost on the way. */

import fc from 'fast-check'
import { simpleParser } from 'mailparser'
import { expect, test } from 'vitest'
import { type MessageDocument, messageDocumentSchema } from '../../functions/channel/message-document.ts'
import { composeMime } from '../../functions/channel/mime.ts'
import { check, parse } from '../../functions/channel/schema-check.ts'

const base = {
  id: 'msg_test',
  messageId: '<msg_test@contoso.example>',
  date: new Date('2026-11-24T10:00:00.123Z'),
  from: { address: 'ada@contoso.example', name: 'Ada Lovelace' },
  inReplyTo: '<question@outside.example>',
  references: ['<root@outside.example>', '<question@outside.example>'],
}
const customer = { address: 'customer@outside.example' }

const compose = (document: object) =>
  composeDocument(parse(messageDocumentSchema, { to: [customer], text: 'Hi', ...document }))

function composeDocument(document: MessageDocument, changes: object = {}) {
  const files = document.attachments.map(({ content = '', contentId = null, ...file }) => ({
    ...file,
    contentId,
    bytes: Buffer.from(content, 'base64'),
  }))
  return composeMime({ ...base, document, files, ...changes })
}

/** Header lines of the mail itself, unfolded: `[name, value]`. */
function headersOf(raw: Buffer): [string, string][] {
  const text = raw.toString('latin1')
  const block = text.slice(0, text.indexOf('\r\n\r\n'))
  return block
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')
    .map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
}

const namesOf = (raw: Buffer) => headersOf(raw).map(([name]) => name.toLowerCase())

const own = new Set(
  [
    ...['From', 'To', 'Cc', 'Reply-To', 'Subject', 'Message-ID', 'In-Reply-To', 'References', 'Date'],
    ...['MIME-Version', 'Content-Type', 'Content-Transfer-Encoding', 'Content-Disposition'],
    ...['X-Postroom-Id', 'Auto-Submitted', 'X-Auto-Response-Suppress'],
  ].map(name => name.toLowerCase()),
)

/** Text that attacks: headers, encodings, boundaries, lines of any length. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'grapheme', maxLength: 200 }),
  fc
    .array(
      fc.constantFrom(
        '\r\nBcc: evil@evil.example',
        '\n\n',
        '\r',
        '\0',
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
        '--',
        '\u2028',
        '\ud800',
        'ä',
        '한',
        ' '.repeat(90),
        'x'.repeat(500),
      ),
      { maxLength: 12 },
    )
    .map(parts => parts.join('')),
)
const address = fc.oneof(
  fc.constant('customer@outside.example'),
  hostile.map(text => `${text}@outside.example`),
  hostile.map(text => `ada@${text}.example`),
)
const addresses = fc.array(fc.record({ address, name: hostile }, { requiredKeys: ['address'] }), {
  maxLength: 3,
})
const documents = fc.record(
  {
    to: addresses.map(list => [customer, ...list]),
    cc: addresses,
    bcc: addresses,
    replyTo: addresses,
    subject: hostile,
    text: hostile,
    html: hostile,
    headers: fc.dictionary(
      fc.oneof(
        hostile.map(text => `X-${text}`),
        fc.constantFrom('X-Ticket', 'List-Id', 'Bcc'),
      ),
      hostile,
      { maxKeys: 3 },
    ),
    attachments: fc.array(
      fc.record({
        filename: hostile,
        contentType: fc.constantFrom('text/plain', 'application/pdf', 'x/y'),
        content: fc.base64String(),
      }),
      { maxLength: 2 },
    ),
    automatic: fc.constantFrom(false, true, 'reply'),
  },
  { requiredKeys: ['to', 'text'] },
)

test('no document that passes makes a header that is not ours', async () => {
  let passed = 0
  await fc.assert(
    fc.asyncProperty(documents, async given => {
      const result = check(messageDocumentSchema, given)
      fc.pre(result.success)
      passed += 1
      const document = result.data
      const raw = await composeDocument(document ?? parse(messageDocumentSchema, {}))
      const custom = Object.keys(document?.headers ?? {}).map(name => name.toLowerCase())
      for (const name of namesOf(raw)) expect(own.has(name) || custom.includes(name)).toBe(true)
      expect(namesOf(raw).filter(name => own.has(name))).toHaveLength(
        new Set(namesOf(raw).filter(name => own.has(name))).size,
      )
      expect(namesOf(raw)).not.toContain('bcc')
      expect(raw.includes(0)).toBe(false)
    }),
    { numRuns: 300 },
  )
  expect(passed).toBeGreaterThan(200)
})

test('no line of the header is longer than RFC 5322 lets it be', async () => {
  const word = 'x'.repeat(900)
  const raw = await compose({
    subject: word,
    headers: { 'X-Ticket': word },
    to: [{ ...customer, name: word }],
  })
  const lines = raw.toString('latin1').split('\r\n')
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(998)
})

test('an attached mail goes out in bytes that SMTP can carry', async () => {
  const content = Buffer.from('Subject: a\nX: \0\n\n\rb').toString('base64')
  const raw = await compose({ attachments: [{ filename: 'a.eml', contentType: 'message/rfc822', content }] })
  expect(raw.includes(0)).toBe(false)
  expect(raw.toString('latin1').replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
})

test.each(['multipart/mixed', 'Multipart/Alternative', 'message/partial'])(
  'a file that is said to be %s arrives as it is',
  async contentType => {
    const content = Buffer.from('--x\r\nBcc: \0evil\r\n\r\n--x--').toString('base64')
    const mail = await simpleParser(
      await compose({ attachments: [{ filename: 'a.bin', contentType, content }] }),
    )
    expect(mail.attachments.map(file => file.content.toString('base64'))).toEqual([content])
  },
)

test('CR and LF come only together, whatever the text holds (RFC 5322 2.3)', async () => {
  const raw = (await compose({ text: 'a\nb\rc\r\nd', html: '<p>\n</p>' })).toString('latin1')
  expect(raw.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
})

test('the same document at the same time gives the same bytes', async () => {
  const document = {
    html: '<p>ä</p>',
    attachments: [{ filename: 'ä.txt', contentType: 'text/plain', content: 'aGk=' }],
    headers: { 'X-Ticket': '42' },
  }
  expect((await compose(document)).equals(await compose(document))).toBe(true)
})

test('another message has other boundaries', async () => {
  const document = parse(messageDocumentSchema, { to: [customer], text: 'a', html: 'b' })
  const first = await composeDocument(document)
  const second = await composeDocument(document, { id: 'msg_other' })
  const boundary = (raw: Buffer) => /boundary="([^"]+)"/.exec(raw.toString())?.[1]
  expect(boundary(first)).not.toBe(boundary(second))
})

test('Bcc is in the envelope only', async () => {
  const raw = await compose({ bcc: [{ address: 'hidden@outside.example', name: 'Hidden' }] })
  expect(raw.toString()).not.toMatch(/hidden/i)
})

test('a mail carries our Message-ID, the thread and our id', async () => {
  const headers = new Map(headersOf(await compose({})).map(([name, value]) => [name.toLowerCase(), value]))
  expect(headers.get('message-id')).toBe(base.messageId)
  expect(headers.get('in-reply-to')).toBe(base.inReplyTo)
  expect(headers.get('references')).toBe(base.references.join(' '))
  expect(headers.get('x-postroom-id')).toBe(base.id)
  expect(headers.get('date')).toBe('Tue, 24 Nov 2026 10:00:00 +0000')
})

test('an automatic answer says that it is an answer', async () => {
  const headers = Object.fromEntries(headersOf(await compose({ automatic: 'reply' })))
  expect(headers).toMatchObject({ 'Auto-Submitted': 'auto-replied', 'X-Auto-Response-Suppress': 'All' })
})

test('only an automatic message says that it is one', async () => {
  expect(namesOf(await compose({}))).not.toContain('auto-submitted')
  const headers = Object.fromEntries(headersOf(await compose({ automatic: true })))
  expect(headers).toMatchObject({ 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' })
})

test('a picture that the HTML shows stands beside it, and a file beside both', async () => {
  const picture = {
    filename: 'logo.png',
    contentType: 'image/png',
    content: 'iVBO',
    contentId: 'logo@contoso',
  }
  const file = { filename: 'a.txt', contentType: 'text/plain', content: 'aGk=' }
  const raw = await compose({ html: '<img src="cid:logo@contoso">', attachments: [file, picture] })
  const types = [...raw.toString().matchAll(/^Content-Type: ([\w/]+)/gm)].map(match => match[1])
  expect(types).toEqual([
    'multipart/mixed',
    'multipart/alternative',
    'text/plain',
    'multipart/related',
    'text/html',
    'image/png',
    'text/plain',
  ])
  const { attachments } = await simpleParser(raw, { skipImageLinks: true })
  expect(attachments).toMatchObject([
    { filename: 'logo.png', cid: 'logo@contoso', contentDisposition: 'inline', related: true },
    { filename: 'a.txt', contentDisposition: 'attachment' },
  ])
})

test('what was given is what is read', async () => {
  const text = '.\r\n..leading dots\r\nFrom here\r\nÄ 한 😀\r\n'
  const raw = await compose({
    subject: 'Ä 한 😀 '.repeat(20).trim(),
    text,
    attachments: [{ filename: 'Ä.bin', contentType: 'application/octet-stream', content: 'AAEC/w==' }],
  })
  const mail = await simpleParser(raw)
  expect(mail.subject).toBe('Ä 한 😀 '.repeat(20).trim())
  expect(mail.text).toBe(text.replaceAll('\r\n', '\n'))
  expect(mail.attachments[0]).toMatchObject({ filename: 'Ä.bin', content: Buffer.from([0, 1, 2, 255]) })
})
