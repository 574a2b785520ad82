/** Mails that have broken programs before, made by hand: what runs where no corpus is at hand. */

const lines = (...texts: string[]) => texts.join('\r\n')
/** One character is one byte. */
const bytes = (text: string) => Buffer.from(text, 'latin1')

/** By name. Lines that end otherwise than in CRLF are meant so. */
export const hardMails: Record<string, Buffer> = {
  'no header at all': bytes(lines('', 'Just a body.', '')),
  'a header without a body': bytes(lines('From: a@outside.example', 'Subject: no body', '')),
  'no Message-ID, no Date, no From': bytes(lines('Subject: anonymous', '', 'Who am I?', '')),
  'letters in Latin-1 without a charset': bytes(lines('Subject: Gr\xfc\xdfe', '', 'sch\xf6n\xff\xfe', '')),
  'control characters and NUL in header and body': bytes(
    lines(
      'From: "a\x01b" <a@outside.example>',
      'Subject: bell\x07 nul\x00 esc\x1b[31m',
      '',
      'nul\x00\x01\x02',
      '',
    ),
  ),
  'a line of 200,000 characters': bytes(lines('Subject: long line', '', 'x'.repeat(200_000), '')),
  'a subject of 60,000 characters': bytes(lines(`Subject: ${'long '.repeat(12_000)}`, '', 'short', '')),
  'two thousand References': bytes(
    lines(
      'Message-ID: <many@outside.example>',
      `References:${Array.from({ length: 2_000 }, (_, i) => `\r\n <ancestor-${i}@outside.example>`).join('')}`,
      '',
      'long story',
      '',
    ),
  ),
  'three thousand recipients': bytes(
    lines(
      'Subject: crowd',
      `To:${Array.from({ length: 3_000 }, (_, i) => `\r\n person-${i}@outside.example,`).join('')}`,
      ' last@outside.example',
      '',
      'all of you',
      '',
    ),
  ),
  'a multipart that never ends': bytes(
    lines(
      'Subject: open end',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary="b"',
      '',
      '--b',
      'Content-Type: text/plain',
      '',
      'first',
      '--b',
      'Content-Type: application/octet-stream',
      'Content-Transfer-Encoding: base64',
      '',
      'not*base64*at=all',
      '',
    ),
  ),
  'a hundred multiparts inside each other': bytes(nested(100)),
  'an unknown charset and transfer encoding': bytes(
    lines(
      'Subject: =?x-klingon?Q?tlhIngan=20Hol?= =?utf-8?B?not base64?= =?utf-8?Q?=C3?=',
      'Content-Type: text/plain; charset=x-klingon',
      'Content-Transfer-Encoding: x-uuencode-or-so',
      '',
      'begin 644 nothing',
      '',
    ),
  ),
  'lines that begin with dots': bytes(lines('Subject: dots', '', '.', '..', '.hidden', '')),
  'a date that never was': bytes(
    lines('Date: Thu, 31 Feb 2099 25:61:61 +9999', 'Subject: never', '', 'x', ''),
  ),
  'the Message-ID of another mail': bytes(
    lines('Message-ID: <twin@outside.example>', 'Subject: one', '', '1', ''),
  ),
  'the same Message-ID again': bytes(
    lines('Message-ID: <twin@outside.example>', 'Subject: two', '', '2', ''),
  ),
  'two megabytes of attachment': bytes(
    lines(
      'Subject: big',
      'MIME-Version: 1.0',
      'Content-Type: application/octet-stream; name="big.bin"',
      'Content-Transfer-Encoding: base64',
      '',
      ...Array.from({ length: 27_000 }, () => 'QUJD'.repeat(19)),
      '',
    ),
  ),
}

function nested(depth: number): string {
  const opening = Array.from({ length: depth }, (_, i) => [
    `Content-Type: multipart/mixed; boundary="b${i}"`,
    '',
    `--b${i}`,
  ]).flat()
  return lines('Subject: nested', 'MIME-Version: 1.0', ...opening, '', 'the kernel', '')
}
