/** Mails made to break a mailbox: made when asked for, since some have megabytes. One character is one byte. */

const fill = (text: string, bytes: number) => text.repeat(Math.ceil(bytes / text.length)).slice(0, bytes)
const header = 'From: Mallory <mallory@outside.example>\r\nSubject: hostile\r\n'
const body = (headers: string, text: string) => `${header}${headers}\r\n\r\n${text}`
const mixed = 'Content-Type: multipart/mixed; boundary=b'
const html = 'Content-Type: text/html; charset=utf-8'

function nested(depth: number, kernel: string): string {
  const levels = Array.from(
    { length: depth },
    (_, i) => `Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`,
  )
  return `${header}${levels.join('')}\r\n${kernel}`
}

const megabyte = 1_000_000

/** In a few megabytes at most; each is read in moments, or given up. */
export const hostileMails: Record<string, () => string> = {
  'nothing at all': () => '',
  'one line end': () => '\n',
  'line ends only': () => fill('\r\n', 100_000),
  'NUL bytes only': () => fill('\0', 100_000),
  'every byte there is': () => String.fromCharCode(...Array.from({ length: 4_096 }, (_, i) => i % 256)),

  'a subject of a megabyte': () => `Subject: ${fill('s', 900_000)}\r\n\r\nx`,
  'a header of three megabytes': () => `Subject: ${fill('s', 3 * megabyte)}\r\n\r\nx`,
  'a header line that never ends': () => `Subject: ${fill('s ', 3 * megabyte)}`,
  'a hundred thousand header lines': () => `${fill('X: y\r\n', 600_000)}\r\nx`,
  'a header folded a hundred thousand times': () => `Subject: a${fill('\r\n b', 400_000)}\r\n\r\nx`,
  'encoded words without end': () => `Subject: ${fill('=?utf-8?Q?a?= ', 300_000)}\r\n\r\nx`,
  'the beginnings of encoded words': () => `Subject: ${fill('=?utf-8?B?', 300_000)}\r\n\r\nx`,
  'an address of quotes': () => `From: ${fill('"', 200_000)}\r\n\r\nx`,
  'an address of brackets': () => `From: ${fill('<', 200_000)}\r\n\r\nx`,
  'an address of comments': () => `From: ${fill('(', 200_000)}\r\n\r\nx`,
  'groups within groups': () => `To: ${fill('g:', 200_000)}\r\n\r\nx`,
  'fifty thousand recipients': () => `To: ${fill('a@b.example,', 600_000)}\r\n\r\nx`,
  'an address inside an encoded name': () =>
    `From: =?utf-8?B?${Buffer.from(fill('"a" <boss@bank.example>,', 100_000)).toString('base64')}?= <m@outside.example>\r\n\r\nx`,
  'parameters without end': () => body(`Content-Type: text/plain; ${fill('a=b;', 300_000)}`, 'x'),
  'a parameter in twenty thousand pieces': () =>
    body(`Content-Type: text/plain; ${Array.from({ length: 20_000 }, (_, i) => `a*${i}*=x`).join(';')}`, 'x'),
  'header names of objects': () =>
    '__proto__: x\r\nconstructor: y\r\ntoString: z\r\nList-__proto__: <a>\r\n\r\nx',

  'four thousand parts': () => body(mixed, fill('--b\r\n\r\nx\r\n', 40_000)),
  'four hundred parts within each other': () => nested(400, 'deep'),
  'three thousand parts within each other': () => nested(3_000, 'deep'),
  'a mail in a mail, three hundred times': () =>
    `${header}${fill('Content-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n', 18_300)}`,
  'the same boundary at every depth': () =>
    `${header}${'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n'.repeat(300)}\r\n${fill('--b\r\n', 50_000)}`,
  'an empty boundary': () => body('Content-Type: multipart/mixed; boundary=""', fill('--\r\n\r\n', 60_000)),
  'a boundary of a megabyte': () =>
    body(`Content-Type: multipart/mixed; boundary=${fill('b', 500_000)}`, `--${fill('b', 500_000)}\r\n\r\nx`),
  'parts with headers of 200 KB each': () =>
    body(mixed, fill(`--b\r\nTo: ${fill('a@b.c,', 200_000)}\r\n\r\nx\r\n`, 4 * megabyte)),

  'lines that end in CR alone': () => body(`${mixed}\r\rX: y`, fill('--b\r\r\rx\r', 20_000)),
  'lines that end in LF alone': () => body(mixed, '--b\r\n\r\nx\r\n--b--').replaceAll('\r', ''),
  'CR CR LF': () => body(mixed, '--b\r\n\r\nx\r\n--b--').replaceAll('\r\n', '\r\r\n'),
  'a smuggled end of mail': () => body('', 'x\r\n.\r\nMAIL FROM:<a@b.example>\r\n\n.\n\r.\r'),
  'a header after a bare LF': () => 'Subject: a\nBcc: victim@outside.example\r\nFrom: a@b.example\r\n\r\nx',

  'base64 that is none': () => body('Content-Transfer-Encoding: base64', fill('*=\r\n', 500_000)),
  'base64 of a mail that unfolds like a zip': () =>
    body(
      `Content-Type: application/zip; name=bomb.zip\r\nContent-Transfer-Encoding: base64`,
      fill(`${'UEsD'.repeat(19)}\r\n`, 3 * megabyte),
    ),
  'quoted-printable of equal signs': () =>
    body('Content-Transfer-Encoding: quoted-printable', fill('=', 500_000)),
  'uuencode that never ends': () =>
    body('Content-Transfer-Encoding: x-uuencode', fill('begin 644 x\r\n', 500_000)),
  'flowed text of spaces': () =>
    body('Content-Type: text/plain; format=flowed; delsp=yes', fill('> \r\n', 300_000)),
  'UTF-7 that hides a tag': () => body('Content-Type: text/html; charset=utf-7', '+ADw-script+AD4-alert(1)'),
  'a charset named base64': () => body('Content-Type: text/plain; charset=base64', fill('QUJD', 100_000)),
  'letters that are no letters': () =>
    body('Content-Type: text/plain; charset=utf-8', fill('\xed\xa0\x80\xff\xfe', 100_000)),
  'non-characters that queues refuse': () =>
    body('Content-Type: text/plain; charset=utf-8', 'a\xef\xbf\xbe\xef\xbf\xbfb'),

  'HTML of open tags': () => body(html, fill('<b>', 300_000)),
  'HTML of tags that close others': () =>
    body(html, `${fill('<b><i>', 300_000)}${fill('</b></i>', 300_000)}`),
  'HTML that hides its depth in attributes': () => body(html, fill('<b><i title="</b>">', 300_000)),
  'HTML of unfinished tags': () => body(html, fill('<a title="', 300_000)),
  'HTML of comments': () => body(html, fill('<!--', 300_000)),
  'HTML of entities': () => body(html, fill('&#x41;&amp', 300_000)),
  'HTML tables in tables': () => body(html, fill('<table><tr><td>', 300_000)),
  'a text made for expressions that quote': () =>
    body('Content-Type: text/plain', `${fill('Op x\r\n', 60_000)}${fill('schreef ', 60_000)}`),
  'a text of introductions': () =>
    body('Content-Type: text/plain', fill('On 1 wrote:\r\n> a\r\nb\r\n', 300_000)),
  'a text of quotes': () => body('Content-Type: text/plain', fill('>', 300_000) + fill('\r\n>', 300_000)),

  'a report about five thousand recipients': () =>
    body(
      'Content-Type: multipart/report; report-type=delivery-status; boundary=b',
      `--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n${fill(
        'Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n',
        400_000,
      )}--b--`,
    ),
  'a name that climbs out of its folder': () => named('../../../../etc/passwd'),
  'a name that Windows opens': () => named('C:\\\\Users\\\\x\\\\con.txt'),
  'a name written backwards': () => named('invoice=E2=80=AEgpj.exe', 'utf-8'),
  'a name of zero width': () => named('=E2=80=8B=EF=BB=BF=E2=81=A0', 'utf-8'),
  'a name of dots': () => named('....'),
  'a name of a megabyte': () => named(fill('n', 900_000)),
}

function named(name: string, charset?: string): string {
  const value = charset === undefined ? name : `=?${charset}?Q?${name}?=`
  const part = `--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="${value}"`
  return body(mixed, `${part}\r\n\r\nx\r\n--b--\r\n`)
}

/** As large as a mail may be: what a parser makes of them does not fit into a small function, or takes minutes. */
export const hugeMails: Record<string, () => string> = {
  '25 MB of empty lines': () => body('', fill('\n', 25 * megabyte)),
  '25 MB of flowed text': () => body('Content-Type: text/plain; format=flowed', fill('x \n', 25 * megabyte)),
  '10 MB under 490 parts': () => nested(490, fill('--b\r\n', 10 * megabyte)),
  '25 MB of one line': () => body('', fill('x', 25 * megabyte)),
  '25 MB of HTML': () => body(html, fill('<p>hi</p>\r\n', 25 * megabyte)),
  '25 MB of attachment': () =>
    body(
      'Content-Type: image/jpeg; name=large.jpg\r\nContent-Transfer-Encoding: base64',
      fill(`${'QUJD'.repeat(19)}\r\n`, 25 * megabyte),
    ),
}
