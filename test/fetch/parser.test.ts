/** Parsing in a worker: whatever the mail, it ends in time, and the next one is read. */

import { afterAll, expect, test } from 'vitest'
import { PostroomError } from '../../functions/channel/faults.ts'
import { openParser } from '../../functions/fetch/parser.ts'
import { thrownBy } from '../support/thrown-error.ts'
import { hostileMails, hugeMails } from './hostile-mails.ts'

const parser = openParser()
const hurried = openParser({ timeMs: 2_000, heapMegabytes: 160 })
afterAll(() => Promise.all([parser.close(), hurried.close()]))

const bytes = (text: string) => Buffer.from(text, 'latin1')
const honest = bytes('From: ada@contoso.example\r\nSubject: honest\r\n\r\nHello\r\n')

test('attachments come back as they are, large and small', async () => {
  const contents = ['small', '', 'A'.repeat(3_000_000)]
  const parts = contents.map(content => `--b\r\nContent-Disposition: attachment\r\n\r\n${content}\r\n`)
  const raw = `Content-Type: multipart/mixed; boundary=b\r\n\r\n${parts.join('')}--b--`
  const { attachments } = await parser.parse(bytes(raw))
  expect(attachments.map(({ bytes }) => bytes.byteLength)).toEqual([5, 2, 3_000_000])
  expect(Buffer.from(attachments[0]?.bytes ?? []).toString()).toBe('small')
  expect(Buffer.from(attachments[2]?.bytes ?? []).equals(bytes(contents[2] ?? ''))).toBe(true)
})

test('the caller keeps the bytes, also where they are a piece of something larger', async () => {
  const whole = Buffer.concat([Buffer.alloc(100_000, 'x'), honest])
  const piece = whole.subarray(100_000)
  expect((await parser.parse(piece)).subject).toBe('honest')
  expect(piece.equals(honest)).toBe(true)
})

test('mails that come together are each answered with their own', async () => {
  const subjects = Array.from({ length: 20 }, (_, i) => `mail ${i}`)
  const mails = await Promise.all(subjects.map(subject => parser.parse(bytes(`Subject: ${subject}\r\n\r\n`))))
  expect(mails.map(({ subject }) => subject)).toEqual(subjects)
})

test('a mail that takes longer than it may is given up, and says so', async () => {
  const impatient = openParser({ timeMs: 1, heapMegabytes: 160 })
  const error = await thrownBy(() => impatient.parse(honest))
  expect(error.code).toBe('mail_unreadable')
  expect(error.evidence).toBe('takes longer than 1 ms')
})

/** Read, or given up with the reason; nothing else may come of any mail. */
async function outcomeOf(raw: Buffer, reader: typeof parser) {
  try {
    return (await reader.parse(raw)).subject.length <= 2_000 ? 'read' : 'read too much'
  } catch (error) {
    return error instanceof PostroomError ? error.code : 'broken'
  }
}

test.each(Object.entries(hostileMails))(
  '%s: read or given up, and the next mail is read',
  async (_name, make) => {
    expect(['read', 'mail_unreadable']).toContain(await outcomeOf(bytes(make()), parser))
    expect((await parser.parse(honest)).subject).toBe('honest')
  },
  60_000,
)

test.each(Object.entries(hugeMails))(
  '%s: read or given up, and the next mail is read',
  async (_name, make) => {
    expect(['read', 'mail_unreadable']).toContain(await outcomeOf(bytes(make()), hurried))
    expect((await parser.parse(honest)).subject).toBe('honest')
  },
  60_000,
)

test('25 MB of empty lines need more memory than there is: that ends the worker, not the function', async () => {
  const small = openParser({ timeMs: 30_000, heapMegabytes: 32 })
  const error = await thrownBy(() => small.parse(bytes(hugeMails['25 MB of empty lines']?.() ?? '')))
  expect(error.evidence).toBe('needs too much memory')
  await small.close()
})
