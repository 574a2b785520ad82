/** Mails that others collected, where they are at hand: each is read or given up with a reason, and no value is broken. */

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { presentForEvent } from '../../functions/channel/event-message.ts'
import { PostroomError } from '../../functions/channel/faults.ts'
import type { ParsedMail } from '../../functions/fetch/parsed-mail.ts'
import { openParser } from '../../functions/fetch/parser.ts'
import { messageOf } from './parsed-message.ts'

const corpus = fileURLToPath(new URL('../../../shared/corpus', import.meta.url))
const mails = existsSync(corpus)
  ? readdirSync(corpus, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.eml'))
  : []
const parser = openParser()
afterAll(() => parser.close())

async function outcomeOf(raw: Uint8Array): Promise<ParsedMail | undefined> {
  try {
    return await parser.parse(raw)
  } catch (error) {
    if (error instanceof PostroomError && error.code === 'mail_unreadable') return undefined
    throw error
  }
}

/** Whatever was read can be stored, told and shown. */
function expectSound(mail: ParsedMail) {
  const { text, html, attachments, ...header } = mail
  const event = presentForEvent(...messageOf(mail))
  const json = JSON.stringify([header, event])
  // Half a surrogate pair is written as an escape.
  expect(json).not.toMatch(/\\ud[89a-f]/)
  expect(Buffer.byteLength(JSON.stringify(event))).toBeLessThan(200_000)
  for (const { address, name } of [...mail.from, ...mail.to, ...mail.cc, ...mail.replyTo]) {
    expect(address + (name ?? '')).not.toMatch(/\p{Cc}/u)
  }
  for (const { filename } of attachments) expect(filename).not.toMatch(/[\p{Cc}\p{Cf}/\\]/u)
  expect(mail.htmlSanitized ?? '').not.toMatch(/<(script|style|iframe|form)\b/i)
  expect([text === null || text.isWellFormed(), html === null || html.isWellFormed()]).toEqual([true, true])
}

describe.skipIf(mails.length === 0)('the corpus (skipped where it is absent)', () => {
  test.each(mails)('%s', async name => {
    const raw = readFileSync(join(corpus, name))
    const mail = await outcomeOf(raw)
    expect(mail, 'given up').toBeDefined()
    if (mail) expectSound(mail)
  })

  test('with any piece cut out or doubled, each is read or given up', async () => {
    const raws = mails.map(name => readFileSync(join(corpus, name)))
    const damage = fc.record({
      raw: fc.constantFrom(...raws),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      to: fc.double({ min: 0, max: 1, noNaN: true }),
      isDoubled: fc.boolean(),
      noise: fc.uint8Array({ maxLength: 8 }),
    })
    await fc.assert(
      fc.asyncProperty(damage, async ({ raw, from, to, isDoubled, noise }) => {
        const [begin, end] = [from, to].map(place => Math.floor(place * raw.byteLength)).sort((a, b) => a - b)
        const piece = raw.subarray(begin, end)
        const parts = [
          raw.subarray(0, begin),
          ...(isDoubled ? [piece, noise, piece] : [noise]),
          raw.subarray(end),
        ]
        const mail = await outcomeOf(Buffer.concat(parts))
        if (mail) expectSound(mail)
      }),
      { numRuns: 300 },
    )
  }, 120_000)
})

test('bytes of any kind are read or given up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async raw => {
      const mail = await outcomeOf(raw)
      if (mail) expectSound(mail)
    }),
    { numRuns: 300 },
  )
}, 120_000)

const word = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }).map(letters => letters.replace(/[\r\n]/g, '')),
  fc.constantFrom(
    '',
    '"',
    '<',
    '>',
    '=?utf-8?Q?=C3?=',
    '=?utf-8?B?4oCu?=',
    'a@b.example',
    '../../x',
    '\u202Egpj.exe',
    '\uFFFF',
  ),
)
const headerLine = fc
  .tuple(
    fc.constantFrom(
      ...[
        'From',
        'To',
        'Cc',
        'Reply-To',
        'Subject',
        'Date',
        'Message-ID',
        'In-Reply-To',
        'References',
        'List-Id',
      ],
      ...[
        'Content-Disposition',
        'Content-ID',
        'Auto-Submitted',
        'Return-Path',
        'Thread-Index',
        'X-Failed-Recipients',
        'X-Loop',
      ],
    ),
    fc.array(word, { maxLength: 5 }),
  )
  .map(([name, words]) => `${name}: ${words.join(' ')}\r\n`)
const leafType = fc.constantFrom(
  ...[
    'text/plain; charset=utf-8',
    'text/html',
    'text/plain; charset=utf-16',
    'message/delivery-status',
    'image/png; name="a/b.png"',
  ],
  ...[
    'message/rfc822',
    'message/feedback-report',
    'text/plain; format=flowed',
    'text/html; charset=iso-2022-jp',
  ],
)
const encoding = fc.constantFrom('7bit', '8bit', 'base64', 'quoted-printable', 'x-uuencode', '')
const { mime } = fc.letrec<{ mime: string; leaf: string; tree: string }>(tie => ({
  mime: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('tree')),
  leaf: fc
    .tuple(
      leafType,
      encoding,
      fc.array(headerLine, { maxLength: 3 }),
      fc.array(fc.oneof(word, headerLine), { maxLength: 8 }),
    )
    .map(
      ([type, transfer, headers, body]) =>
        `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${transfer}\r\n${headers.join('')}\r\n${body.join('\r\n')}\r\n`,
    ),
  tree: fc
    .tuple(
      fc.constantFrom('mixed', 'alternative', 'related', 'report', 'digest'),
      fc.constantFrom('a', 'b', '""', 'a b'),
      fc.array(tie('mime'), { maxLength: 4 }),
      fc.boolean(),
    )
    .map(
      ([subtype, boundary, parts, isClosed]) =>
        `Content-Type: multipart/${subtype}; boundary="${boundary}"\r\n\r\n${parts.map(part => `--${boundary}\r\n${part}\r\n`).join('')}${isClosed ? `--${boundary}--\r\n` : ''}`,
    ),
}))

test('mail of any structure is read or given up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(headerLine, { maxLength: 8 }), mime, async (headers, body) => {
      const mail = await outcomeOf(Buffer.from(`${headers.join('')}${body}`))
      if (mail) expectSound(mail)
    }),
    { numRuns: 500 },
  )
}, 120_000)
