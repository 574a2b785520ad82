/** Which folder of a mailbox is meant, whatever its language and whatever the server tells of it. */

import { expect, test } from 'vitest'
import { listedFolder, pathOf } from '../../functions/channel/imap-folders.ts'

const listOf = (...lines: string[]) =>
  lines.flatMap(text => listedFolder({ text: `* LIST ${text}`, literals: [] }) ?? [])

const gmail = listOf(
  '(\\HasNoChildren) "/" "INBOX"',
  '(\\HasChildren \\Noselect) "/" "[Gmail]"',
  '(\\All \\HasNoChildren) "/" "[Gmail]/Alle Nachrichten"',
  '(\\HasNoChildren \\Sent) "/" "[Gmail]/Gesendet"',
  '(\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"',
  '(\\HasNoChildren) "/" "Sent"',
)
const exchange = listOf(
  '(\\Marked \\HasNoChildren) "/" Archive',
  '(\\HasNoChildren \\Junk) "/" "Courrier ind&AOk-sirable"',
  '(\\HasNoChildren \\Sent) "/" "&AMk-l&AOk-ments envoy&AOk-s"',
  '(\\HasNoChildren) "/" "Projets/Envoyés"',
)
const bare = listOf(
  '() "." INBOX',
  '() "." "INBOX.Gesendete Elemente"',
  '() NIL "Entw&APw-rfe"',
  '() "." "Projekt.Papierkorb"',
)

test.each([
  ['sent', gmail, '[Gmail]/Gesendet'],
  ['all', gmail, '[Gmail]/Alle Nachrichten'],
  ['junk', gmail, '[Gmail]/Spam'],
  ['Sent', gmail, 'Sent'],
  ['[Gmail]', gmail, undefined],
  ['archive', exchange, 'Archive'],
  ['junk', exchange, 'Courrier ind&AOk-sirable'],
  ['sent', exchange, '&AMk-l&AOk-ments envoy&AOk-s'],
  ['Éléments envoyés', exchange, '&AMk-l&AOk-ments envoy&AOk-s'],
  ['sent', bare, 'INBOX.Gesendete Elemente'],
  ['Entwürfe', bare, 'Entw&APw-rfe'],
  ['trash', bare, undefined],
  ['inbox', bare, 'INBOX'],
])('%s', (wanted, folders, path) => {
  expect(pathOf(wanted, folders)).toBe(path)
})

test('a name may come as a literal', () => {
  const literal = { bytes: Buffer.from('a "b" \\c'), length: 8 }
  expect(listedFolder({ text: '* LIST () "/" {8}', literals: [literal] })?.name).toBe('a "b" \\c')
})

test.each(['* LIST', '* LIST () "/"', '* LIST (', '* STATUS INBOX (UIDNEXT 1)', '* LIST () "/'])(
  '%j names no folder',
  text => expect(listedFolder({ text, literals: [] })).toBeUndefined(),
)

test.each(['&', '&-', '&AA-', '&!!-', '&////-x'])('the name %j is read without harm', path => {
  expect(listOf(`() "/" "${path}"`)).toHaveLength(1)
})
