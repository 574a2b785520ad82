/** Raw mail as real senders write it, and as attackers do. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseMail } from '../../functions/fetch/parse.ts'

const crlf = (text: string) => text.replace(/\r?\n/g, '\r\n')
const bytes = (...parts: (string | number[])[]) =>
  Buffer.concat(
    parts.map(part => (typeof part === 'string' ? Buffer.from(crlf(part), 'latin1') : Buffer.from(part))),
  )
const parse = (text: string) => parseMail(Buffer.from(crlf(text)))

const body = (charset: string, content: number[]) =>
  bytes(
    `From: a@b.example\nContent-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: 8bit\n\n`,
    content,
  )

test.each<[string, number[], string]>([
  ['utf-8', [0xc3, 0xa4, 0xe2, 0x82, 0xac], 'ä€'],
  ['iso-8859-1', [0xe4], 'ä'],
  ['windows-1252', [0x80, 0xe4], '€ä'],
  ['iso-8859-15', [0xa4], '€'],
  ['iso-2022-jp', [0x1b, 0x24, 0x42, 0x46, 0x7c, 0x4b, 0x5c, 0x1b, 0x28, 0x42], '日本'],
  ['gb2312', [0xc4, 0xe3], '你'],
  ['koi8-r', [0xc4, 0xc1], 'да'],
])('a text in %s is read', async (charset, content, text) => {
  expect((await parseMail(body(charset, content))).text?.trim()).toBe(text)
})

test('a charset nobody knows still gives a text', async () => {
  expect((await parseMail(body('x-nobody-knows', [0x48, 0x69]))).text?.trim()).toBe('Hi')
})

test('a letter that is split between two encoded words is whole again', async () => {
  const { subject } = await parse('Subject: =?utf-8?B?w6TDtsM=?=\n =?utf-8?B?vA==?=\n\n')
  expect(subject).toBe('äöü')
})

test('encoded words in every common form are read', async () => {
  const mail = await parse(
    'From: =?iso-8859-1?Q?J=F6rg_M=FCller?= <j@b.example>\nSubject: =?UTF-8?q?Re=3A_?= =?windows-1252?Q?=80?=\n\n',
  )
  expect(mail.from).toEqual([{ address: 'j@b.example', name: 'Jörg Müller' }])
  expect(mail.subject).toBe('Re: €')
})

test('an empty mail is a mail', async () => {
  expect(await parseMail(Buffer.alloc(0))).toMatchObject({
    messageId: null,
    from: [],
    subject: '',
    date: null,
    attachments: [],
  })
})

test('a mail without a Message-ID has none, one without brackets neither', async () => {
  expect((await parse('Subject: x\n\nHi')).messageId).toBeNull()
  expect((await parse('Message-ID: <a@b>\n\nHi')).messageId).toBe('<a@b>')
})

test('References and In-Reply-To are read however they are separated', async () => {
  const mail = await parse('In-Reply-To: "Ada" <1@b> of Monday\nReferences: <1@b>,<2@b>\n\t<3@b><4@b>\n\n')
  expect(mail.inReplyTo).toBe('<1@b>')
  expect(mail.references).toEqual(['<1@b>', '<2@b>', '<3@b>', '<4@b>'])
})

test('of a huge References header the nearest 50 ancestors are kept', async () => {
  const ids = Array.from({ length: 5_000 }, (_, i) => `<${i}@outside.example>`)
  const { references } = await parse(`References: ${ids.join('\n ')}\n\nHi`)
  expect(references).toEqual(ids.slice(-50))
})

test('an id longer than a line is none', async () => {
  expect((await parse(`Message-ID: <${'a'.repeat(2_000)}@b>\n\n`)).messageId).toBeNull()
})

test('control characters in encoded words end up nowhere', async () => {
  const mail = await parse(
    'From: =?utf-8?Q?Ada=0D=0ABcc:_evil@b.example?= <a@b.example>\nSubject: =?utf-8?Q?a=0D=0AX-Evil:_1=00?=\nMessage-ID: <a=0D@b>\n\n',
  )
  expect(JSON.stringify([mail.subject, mail.from])).not.toMatch(/\\[rnu]/)
  expect(mail.subject).toBe('a X-Evil: 1')
})

test('an attachment’s name holds no control characters and is not endless; a missing one is made', async () => {
  const part = (name: string) =>
    `--b\nContent-Type: application/octet-stream\nContent-Disposition: attachment${name}\n\nx\n`
  const { attachments } = await parse(
    `Content-Type: multipart/mixed; boundary=b\n\n${part('; filename="=?utf-8?Q?a=0Ab?="')}${part(`; filename="${'n'.repeat(3_000)}"`)}${part('')}--b--\n`,
  )
  expect(attachments.map(({ filename }) => filename.slice(0, 10))).toEqual([
    'a b',
    'nnnnnnnnnn',
    'attachment',
  ])
  expect(attachments[1]?.filename.length).toBe(150)
})

test('many addresses are cut, groups are opened, what is no address is left out', async () => {
  const many = Array.from({ length: 1_000 }, (_, i) => `p${i}@b.example`).join(', ')
  const mail = await parse(`To: ${many}\nCc: Team: x@b.example, y@b.example;, undisclosed-recipients:;\n\n`)
  expect(mail.to).toHaveLength(100)
  expect(mail.cc.map(({ address }) => address)).toEqual(['x@b.example', 'y@b.example'])
})

test.each(['Date: yesterday', 'Date: Tue, 99 Nov 9999999 10:00:00 +0000', 'Date:'])(
  '%s is no date',
  async header => {
    expect((await parse(`${header}\n\n`)).date).toBeNull()
  },
)

test('a subject of a megabyte is cut', async () => {
  expect((await parse(`Subject: ${'s'.repeat(1_000_000)}\n\n`)).subject).toHaveLength(2_000)
})

test('HTML alone is kept as it is, and a text is made of it', async () => {
  const mail = await parse('Content-Type: text/html\n\n<p>Hi<script>alert(1)</script></p>')
  expect(mail).toMatchObject({ text: 'Hi', html: '<p>Hi<script>alert(1)</script></p>' })
})

test('a mail of 2,000 parts is given up in no time', async () => {
  const parts = Array.from(
    { length: 2_000 },
    (_, i) => `--b\nContent-Type: image/png; name=${i}\n\nx\n`,
  ).join('')
  const startedMs = performance.now()
  await parse(`Content-Type: multipart/mixed; boundary=b\n\n${parts}--b--\n`).catch(() => undefined)
  expect(performance.now() - startedMs).toBeLessThan(5_000)
})

test('parts within parts within parts end', async () => {
  let mail = 'Content-Type: text/plain\n\ndeep\n'
  for (let depth = 0; depth < 500; depth++) {
    mail = `Content-Type: multipart/mixed; boundary=b${depth}\n\n--b${depth}\n${mail}\n--b${depth}--\n`
  }
  const startedMs = performance.now()
  await parse(mail).catch(() => undefined)
  expect(performance.now() - startedMs).toBeLessThan(5_000)
})

const pieces = fc.constantFrom(
  ...[
    'From: ',
    'Subject: ',
    'Content-Type: multipart/mixed; boundary=b\r\n',
    'Content-Type: message/rfc822\r\n',
  ],
  ...[
    'Content-Type: text/html; charset=utf-7\r\n',
    'Content-Transfer-Encoding: base64\r\n',
    '--b\r\n',
    '--b--\r\n',
    '\r\n',
    '\r\n\r\n',
  ],
  ...[
    'Content-Transfer-Encoding: uuencode\r\n',
    'Content-Type: text/plain; format=flowed\r\n',
    'Content-Type: ;;;=\r\n',
  ],
  ...[
    '=?utf-8?B?',
    '?=',
    '\0',
    '\xff',
    ' <',
    '>',
    '"',
    '(',
    ')',
    'References: <',
    'Date: ',
    'begin 644 x\r\n',
    'a'.repeat(2_000),
  ],
)

test('whatever the bytes, parsing ends with a mail or an error', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(pieces, fc.string({ maxLength: 20 })), { maxLength: 40 }),
      async parts => {
        const mail = await parseMail(Buffer.from(parts.join(''), 'latin1')).catch(() => undefined)
        for (const { name } of mail?.from ?? []) expect(name ?? '').not.toMatch(/\p{Cc}/u)
      },
    ),
    { numRuns: 200 },
  )
})
