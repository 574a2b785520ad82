/** Names of attachments: what a person may see of what a stranger wrote. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { attachmentName } from '../../functions/fetch/attachment-name.ts'

test.each([
  ['report.pdf', 'report.pdf'],
  ['Größe 3 € 写.pdf', 'Größe 3 € 写.pdf'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\x\\con.txt', '_con.txt'],
  ['/absolute/path/', 'attachment'],
  ['..', 'attachment'],
  ['.htaccess', 'htaccess'],
  ['name.exe . .', 'name.exe'],
  ['invoice\u202Egpj.exe', 'invoice gpj.exe'],
  ['a\u200Bb\uFEFFc\u2060.txt', 'a b c .txt'],
  ['a\r\nContent-Type: text', 'a Content-Type_ text'],
  ['a<b>:"|?*c', 'a_b______c'],
  ['\uD800lone.txt', 'lone.txt'],
  ['e\u0301.txt', 'é.txt'],
  ['', 'attachment'],
  [undefined, 'attachment'],
])('%j is shown as %j', (given, shown) => {
  expect(attachmentName(given)).toBe(shown)
})

test('a long name is cut by whole letters, and keeps its ending', () => {
  const name = attachmentName(`${'😀'.repeat(200)}.pdf`)
  expect(name.length).toBeLessThanOrEqual(150)
  expect(name.endsWith('😀.pdf')).toBe(true)
  expect(name.isWellFormed()).toBe(true)
})

test('an ending that is the whole name is no ending', () => {
  expect(attachmentName(`a.${'b'.repeat(1_000)}`)).toHaveLength(150)
})

test('whatever the name, it leads nowhere, hides nothing and is short', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), given => {
      const name = attachmentName(given)
      expect(name).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}/\\<>:"|?*]|^[.\s]|[.\s]$/u)
      expect(name.length).toBeGreaterThan(0)
      expect(name.length).toBeLessThanOrEqual(150)
    }),
  )
})
