/** The message an app hands us: what is refused before any library sees it. */

import { expect, test } from 'vitest'
import { parseInput } from '../../functions/channel/input.ts'
import { idempotencyKeySchema, messageDocumentSchema } from '../../functions/channel/message-document.ts'
import { thrownBy } from '../support/thrown-error.ts'

const customer = { address: 'customer@outside.example' }
const document = { to: [customer], subject: 'Hello', text: 'Hi' }
const attachment = { filename: 'a.txt', contentType: 'text/plain', content: 'aGk=' }
const parse = (changes: object) => parseInput(messageDocumentSchema, { ...document, ...changes })
const refusalOf = (changes: object) => thrownBy(() => parse(changes))

test('what is left out has its default', () => {
  expect(parse({})).toEqual({
    ...document,
    cc: [],
    bcc: [],
    replyTo: [],
    attachments: [],
    headers: {},
    automatic: false,
    onUncertain: 'report',
  })
})

test('an address out of a received message, whose sender gave no name, can be answered as it is', () => {
  expect(parse({ to: [{ ...customer, name: null }] }).to).toEqual([customer])
})

const controls = { CR: '\r', LF: '\n', CRLF: '\r\n', NUL: '\0', tab: '\t', NEL: '\u0085', DEL: '\x7f' }
const smuggled = Object.entries(controls).map(
  ([name, text]) => [name, `a${text}Bcc: evil@evil.example`] as const,
)

test.each(smuggled)('%s is refused in every field that becomes a header', async (_name, text) => {
  const fields = {
    subject: { subject: text },
    'to.0.name': { to: [{ ...customer, name: text }] },
    'to.0.address': { to: [{ address: `a${text}@outside.example` }] },
    'cc.0.name': { cc: [{ ...customer, name: text }] },
    'bcc.0.name': { bcc: [{ ...customer, name: text }] },
    'replyTo.0.address': { replyTo: [{ address: `${text}@outside.example` }] },
    'from.name': { from: { ...customer, name: text } },
    inReplyTo: { inReplyTo: `<${text}@a>` },
    'headers.X-Ticket': { headers: { 'X-Ticket': text } },
    'attachments.0.filename': { attachments: [{ ...attachment, filename: text }] },
    'attachments.0.contentType': { attachments: [{ ...attachment, contentType: `text/plain${text}` }] },
  }
  for (const [field, changes] of Object.entries(fields)) {
    const error = await refusalOf(changes)
    expect(error.code).toBe('request_invalid')
    expect(error.errors.map(fault => fault.field)).toEqual([field])
  }
})

test.each(smuggled)('%s is refused in the name of a header', async (_name, text) => {
  expect((await refusalOf({ headers: { [`X-${text}`]: 'value' } })).code).toBe('request_invalid')
})

test.each([
  'Bcc',
  'bcc',
  'From',
  'Sender',
  'To',
  'Content-Type',
  'MIME-Version',
  'Message-ID',
  'Date',
  'DKIM-Signature',
])('the header %s is not for the app to set', async name => {
  const error = await refusalOf({ headers: { [name]: 'value' } })
  expect(error.errors).toMatchObject([{ field: `headers.${name}`, found: 'value' }])
})

test('a refused header is told the rule', async () => {
  const error = await refusalOf({ headers: { Bcc: 'value' } })
  expect(error.errors[0]?.rule).toContain('must begin with X- or List-')
})

test.each(['X-Postroom-Id', 'x-postroom-anything', 'X-Mailer', 'X-', 'List-', 'X-Ä', 'X-A: b', 'X-A B', ''])(
  'the header %j is refused',
  async name => {
    expect((await refusalOf({ headers: { [name]: 'value' } })).code).toBe('request_invalid')
  },
)

test('headers that begin with X- or List- are accepted', () => {
  const headers = { 'X-Ticket': '42', 'List-Unsubscribe': '<https://app.example/u>' }
  expect(parse({ headers }).headers).toEqual(headers)
})

test.each([
  '"quoted name"@outside.example',
  '"a\\"@evil.example,b"@outside.example',
  'Ada <ada@outside.example>',
  'ada@outside.example, evil@evil.example',
  'ada;evil@outside.example',
  'ada@[127.0.0.1]',
  'ada@localhost',
  '@outside.example',
  'ada@',
  'ada',
  'a b@outside.example',
  'ada@outside.example>',
  `${'a'.repeat(65)}@outside.example`,
  `ada@${'a'.repeat(250)}.example`,
  'ada@@outside.example',
])('the address %j is refused, and told', async address => {
  const error = await refusalOf({ to: [{ address }] })
  expect(error.code).toBe('request_invalid')
  expect(error.errors[0]).toMatchObject({
    field: 'to.0.address',
    found: expect.stringContaining(address.slice(0, 20)),
  })
})

test.each(['ada.l+tag@sub.outside.example', "o'hara@outside.example", 'a@b.co'])(
  'the address %s is accepted',
  address => {
    expect(parse({ to: [{ address }] }).to).toEqual([{ address }])
  },
)

test('a message needs a recipient, in any of the three fields', async () => {
  const error = await refusalOf({ to: [] })
  expect(error.errors).toEqual([
    { field: 'to', rule: 'must have a recipient in to, cc or bcc', found: 'a list of 0' },
  ])
  for (const field of ['cc', 'bcc'])
    expect(parse({ to: undefined, [field]: [customer] })).toMatchObject({ to: [] })
})

test('a message needs a text or an HTML part, of which one may be empty', async () => {
  expect((await refusalOf({ text: undefined })).errors[0]).toMatchObject({ field: 'text' })
  expect(parse({ text: undefined, html: '<p>' }).html).toBe('<p>')
  expect(parse({ text: '' }).text).toBe('')
})

test.each([
  ['to', 51, 'must have at most 50 entries'],
  ['attachments', 101, 'must have at most 100 entries'],
])('too many entries of %s are refused', async (field, count, rule) => {
  const entry = field === 'to' ? customer : attachment
  const error = await refusalOf({ [field]: Array.from({ length: count }, () => entry) })
  expect(error.errors).toEqual([{ field, rule, found: `a list of ${count}` }])
})

test('a subject longer than a line is refused', async () => {
  expect((await refusalOf({ subject: 'a'.repeat(901) })).errors).toEqual([
    { field: 'subject', rule: 'must be at most 900 characters', found: `${'a'.repeat(80)}…` },
  ])
})

test.each([
  ['an unknown field', { attachmets: [] }, 'attachmets'],
  ['an unknown field of an address', { to: [{ ...customer, email: 'x' }] }, 'to.0.email'],
  [
    'an unknown field of an attachment',
    { attachments: [{ ...attachment, path: '/etc/passwd' }] },
    'attachments.0.path',
  ],
  [
    'an attachment by URL',
    { attachments: [{ ...attachment, href: 'http://127.0.0.1/' }] },
    'attachments.0.href',
  ],
  [
    'content that is not base64',
    { attachments: [{ ...attachment, content: 'not base64!' }] },
    'attachments.0.content',
  ],
  [
    'an attachment without a name',
    { attachments: [{ ...attachment, filename: '' }] },
    'attachments.0.filename',
  ],
  ['a time without an offset', { sendAt: '2026-11-24T10:00:00' }, 'sendAt'],
  ['a date', { expiresAt: '2026-11-24' }, 'expiresAt'],
  ['a choice nobody knows', { onUncertain: 'ignore' }, 'onUncertain'],
  ['a text that is none', { text: { toString: 'x' } }, 'text'],
  ['an empty parent', { inReplyTo: '' }, 'inReplyTo'],
])('%s is refused, naming the field', async (_what, changes, field) => {
  const error = await refusalOf(changes)
  expect(error.code).toBe('request_invalid')
  expect(error.errors.map(fault => fault.field)).toContain(field)
})

test('I9: what is found is not repeated where it is a mail’s body', async () => {
  const error = await refusalOf({
    text: ['secret text'],
    html: 7,
    attachments: [{ ...attachment, content: 'secret!' }],
  })
  expect(error.errors).toHaveLength(3)
  expect(error.message).not.toMatch(/secret|7/)
})

test.each(['', 'a b', 'ä', 'a\n', 'a'.repeat(256), 7, null])(
  'the Idempotency-Key %j is refused',
  async key => {
    expect((await thrownBy(() => parseInput(idempotencyKeySchema, key))).code).toBe('request_invalid')
  },
)

test('an Idempotency-Key of 255 visible characters is accepted', () => {
  const key = '!~'.repeat(127).concat('x')
  expect(parseInput(idempotencyKeySchema, key)).toBe(key)
})

test.each<[string, object, RegExp]>([
  ['without HTML', { attachments: [{ ...attachment, contentId: 'logo' }] }, /must come with html/],
  [
    'that two files have',
    { html: '<p>', attachments: [attachment, attachment].map(file => ({ ...file, contentId: 'logo' })) },
    /must be another/,
  ],
  ['in brackets', { html: '<p>', attachments: [{ ...attachment, contentId: '<logo>' }] }, /without angle/],
])('a contentId %s is refused, and told', async (_what, changes, rule) => {
  const error = await refusalOf(changes)
  expect(error.errors).toMatchObject([
    { field: expect.stringMatching(/^attachments\.\d\.contentId$/), rule: expect.stringMatching(rule) },
  ])
})

test('more headers than every server takes are refused', async () => {
  const many = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`X-H-${i}`, 'v']))
  expect((await refusalOf({ headers: many })).errors).toMatchObject([{ field: 'headers' }])
})
