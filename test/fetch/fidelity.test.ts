/** Mail as real programs write it, with what a reader should get: fidelity first, whichever parser is behind it. */

import { expect, test } from 'vitest'
import { parseMail } from '../../functions/fetch/parse.ts'
import type { ParsedMail } from '../../functions/fetch/parsed-mail.ts'

/** One character is one byte; `\n` becomes CRLF. */
const latin = (text: string) => Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1')
const utf8 = (text: string) => Buffer.from(text.replace(/\r?\n/g, '\r\n'))
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64')
const text = (headers: string, body: string, encode = utf8) =>
  encode(`From: a@b.example\n${headers}\n\n${body}\n`)
const plain = (charset: string, body: string) =>
  text(`Content-Type: text/plain; charset=${charset}\nContent-Transfer-Encoding: 8bit`, body, latin)
const multipart = (subtype: string, ...parts: string[]) =>
  utf8(
    `From: a@b.example\nContent-Type: multipart/${subtype}; boundary="=_b"\n\n${parts.map(part => `--=_b\n${part}\n`).join('')}--=_b--\n`,
  )
const note = 'Content-Type: text/plain; charset=utf-8\n\nnote'
const file = (headers: string, bytes = 'BYTES') =>
  `${headers}\nContent-Transfer-Encoding: base64\n\n${base64(bytes)}`

interface Shown {
  subject: string
  text: string | null
  html: string | null
  from: string
  names: string[]
}

function shown(mail: ParsedMail): Shown {
  return {
    subject: mail.subject,
    text: mail.text?.trim() ?? null,
    html: mail.html?.trim() ?? null,
    from: mail.from[0]?.name ?? mail.from[0]?.address ?? '',
    names: mail.attachments.map(({ filename }) => filename),
  }
}

test.each<[string, Buffer, Partial<Shown>]>([
  // Charsets as they are found
  ['UTF-8', plain('utf-8', 'Gr\xc3\xbc\xc3\x9fe'), { text: 'Grüße' }],
  ['UTF-8 that calls itself us-ascii', plain('us-ascii', 'Gr\xc3\xbc\xc3\x9fe'), { text: 'Grüße' }],
  ['UTF-8 that says nothing', text('Content-Transfer-Encoding: 8bit', 'Grüße'), { text: 'Grüße' }],
  ['windows-1252 that calls itself iso-8859-1', plain('iso-8859-1', '\x93hi\x94 \x80'), { text: '“hi” €' }],
  ['windows-1251', plain('windows-1251', '\xcf\xf0\xe8\xe2\xe5\xf2'), { text: 'Привет' }],
  ['iso-8859-2', plain('iso-8859-2', '\xb3\xf3d\xbc'), { text: 'łódź' }],
  ['koi8-r', plain('koi8-r', '\xd0\xd2\xc9\xd7\xc5\xd4'), { text: 'привет' }],
  ['shift_jis', plain('shift_jis', '\x93\xfa\x96\x7b'), { text: '日本' }],
  ['iso-2022-jp', plain('iso-2022-jp', '\x1b$BF|K\\\x1b(B'), { text: '日本' }],
  ['euc-kr by an old name', plain('ks_c_5601-1987', '\xc7\xd1'), { text: '한' }],
  ['gb18030', plain('gb18030', '\xbc\xdb\xb8\xf1'), { text: '价格' }],
  ['big5', plain('big5', '\xa4\xa4\xa4\xe5'), { text: '中文' }],
  ['a charset nobody knows', plain('x-nobody-knows', 'hello'), { text: 'hello' }],
  // RFC 2047 in headers
  [
    'a letter split between encoded words',
    text(
      `Subject: =?utf-8?B?${base64(Buffer.from('日本').subarray(0, 4))}?=\n =?utf-8?B?${base64(Buffer.from('日本').subarray(4))}?=`,
      'x',
    ),
    { subject: '日本' },
  ],
  [
    'encoded words side by side',
    text('Subject: =?utf-8?Q?foo?= =?utf-8?Q?bar?= baz', 'x'),
    { subject: 'foobar baz' },
  ],
  [
    'an encoded word in iso-2022-jp',
    text(`Subject: =?ISO-2022-JP?B?${base64('\x1b$BF|K\\\x1b(B')}?=`, 'x'),
    { subject: '日本' },
  ],
  [
    'an encoded word in windows-1252',
    text('Subject: =?windows-1252?Q?=93a=5Fb=94?=', 'x'),
    { subject: '“a_b”' },
  ],
  ['a broken encoded word', text('Subject: =?utf-8?Q?caf=C3?= x', 'x'), { text: 'x' }],
  [
    'bare UTF-8 in headers (RFC 6532)',
    utf8('From: Jörg <j@b.example>\nSubject: Grüße\n\nx\n'),
    { subject: 'Grüße', from: 'Jörg' },
  ],
  [
    'an encoded name with a comma',
    utf8('From: =?utf-8?Q?M=C3=BCller=2C_J=C3=B6rg?= <j@b.example>\n\nx'),
    { from: 'Müller, Jörg' },
  ],
  ['a quoted name with a comma', utf8('From: "Doe, Jane" <j@b.example>\n\nx'), { from: 'Doe, Jane' }],
  // Transfer encodings
  [
    'quoted-printable with soft breaks',
    text(
      'Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable',
      'Gr=C3=BC=\n=C3=9Fe',
    ),
    { text: 'Grüße' },
  ],
  [
    'quoted-printable with bad escapes',
    text('Content-Transfer-Encoding: quoted-printable', '100% =ZZ ok'),
    { text: '100% =ZZ ok' },
  ],
  [
    'base64 with rubbish and without its end',
    text('Content-Transfer-Encoding: base64', 'aGVs*bG8\ngd29y bGQ'),
    { text: 'hello world' },
  ],
  [
    'flowed text (RFC 3676)',
    text('Content-Type: text/plain; format=flowed; delsp=yes', 'this is o \nne'),
    { text: 'this is one' },
  ],
  // Structure
  [
    'text and HTML',
    multipart('alternative', note, 'Content-Type: text/html\n\n<p>note</p>'),
    { text: 'note', html: '<p>note</p>' },
  ],
  [
    'HTML alone',
    text(
      'Content-Type: text/html; charset=utf-8',
      '<h1>Grüße</h1><p>an <b>alle</b></p><p><a href="https://x.example">hier</a></p>',
    ),
    { text: 'Grüße\n\nan alle\n\nhier [https://x.example]' },
  ],
  [
    'HTML alone, within a multipart',
    multipart('alternative', 'Content-Type: text/html\n\n<p>note</p>'),
    { text: 'note', html: '<p>note</p>' },
  ],
  [
    'no closing boundary',
    latin('Content-Type: multipart/mixed; boundary=b\n\n--b\n\nnote\n'),
    { text: 'note' },
  ],
  [
    'a boundary like another',
    latin(
      'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b\n\ntwo\n--b--\n',
    ),
    { text: 'one\ntwo' },
  ],
  [
    'lines that end in LF',
    Buffer.from('Subject: s\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nnote\n--b--\n'),
    { subject: 's', text: 'note' },
  ],
  [
    'text around a picture (Apple Mail)',
    multipart(
      'mixed',
      note,
      file('Content-Type: image/png; name=a.png\nContent-Disposition: inline; filename=a.png'),
      'Content-Type: text/plain\n\nmore',
    ),
    { text: 'note\nmore', names: ['a.png'] },
  ],
  [
    'a text that is an attachment',
    multipart(
      'mixed',
      note,
      file('Content-Type: text/plain; name=log.txt\nContent-Disposition: attachment; filename=log.txt'),
    ),
    { text: 'note', names: ['log.txt'] },
  ],
  [
    'a calendar invitation',
    multipart('alternative', note, 'Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR'),
    { text: 'note', names: ['attachment'] },
  ],
  [
    'a mail within the mail',
    multipart(
      'mixed',
      note,
      'Content-Type: message/rfc822\nContent-Disposition: inline; filename=fwd.eml\n\nSubject: inner\n\ninner text',
    ),
    { text: 'note', names: ['fwd.eml'] },
  ],
  // Names
  [
    'a name in pieces (RFC 2231)',
    multipart(
      'mixed',
      file(
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename*0*=UTF-8''%E2%82%AC%20; filename*1*=rates; filename*2=.pdf",
      ),
    ),
    { names: ['€ rates.pdf'] },
  ],
  [
    'a name as an encoded word',
    multipart(
      'mixed',
      file(
        `Content-Type: application/pdf; name="=?UTF-8?B?${base64('größe.pdf')}?="\nContent-Disposition: attachment`,
      ),
    ),
    { names: ['größe.pdf'] },
  ],
  [
    'a name without quotes',
    multipart(
      'mixed',
      file('Content-Type: application/pdf\nContent-Disposition: attachment; filename=annual report.pdf'),
    ),
    { names: ['annual report.pdf'] },
  ],
  ['an empty body', latin('Subject: s\n\n'), { subject: 's' }],
  ['a header alone', latin('Subject: s'), { subject: 's' }],
])('%s', async (_what, raw, expected) => {
  expect(shown(await parseMail(raw))).toMatchObject(expected)
})

test('a picture shown in the text keeps the id by which the HTML names it', async () => {
  const html = 'Content-Type: text/html\n\n<img src="cid:one@x">'
  const picture = file(
    'Content-Type: image/png\nContent-ID: <one@x>\nContent-Disposition: inline; filename=a.png',
  )
  const mail = await parseMail(multipart('related', html, picture))
  expect(mail.attachments).toMatchObject([{ contentId: '<one@x>', disposition: 'inline', filename: 'a.png' }])
  expect(Buffer.from(mail.attachments[0]?.bytes ?? []).toString()).toBe('BYTES')
  expect(mail.htmlSanitized).toContain('<img src="cid:one@x"')
})

test('UTF-7 is not read: it hides tags from whoever looks for them', async () => {
  const mail = await parseMail(
    text('Content-Type: text/html; charset=utf-7', '+ADw-script+AD4-alert(1)+ADw-/script+AD4-'),
  )
  expect(mail.html).not.toContain('<script')
})

test('the address is the sender’s, whatever the name says', async () => {
  const mail = await parseMail(
    utf8(`From: =?utf-8?B?${base64('"boss@bank.example" <boss@bank.example>')}?= <m@outside.example>\n\nx`),
  )
  expect(mail.from.map(({ address }) => address)).toEqual(['m@outside.example'])
})
