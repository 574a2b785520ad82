/** Mail that no program should answer, by what real programs write into it. */

import { expect, test } from 'vitest'
import { automaticOf, listIdOf } from '../../functions/fetch/automatic.ts'
import { headersIn } from '../../functions/fetch/headers.ts'

const kindOf = (headers: string) => automaticOf(headersIn(headers), null)?.kind ?? null

test.each([
  [
    'Exchange, out of office',
    'Subject: Automatic reply: Order\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All',
    'auto_reply',
  ],
  [
    'Exchange, out of office, German',
    'Subject: Automatische Antwort: Bestellung\nAuto-Submitted: auto-generated\nX-Auto-Response-Suppress: All',
    'auto_reply',
  ],
  [
    'Exchange, out of office, French',
    'Subject: Réponse automatique : Commande\nReturn-Path: <>',
    'auto_reply',
  ],
  ['Gmail, vacation', 'Auto-Submitted: auto-replied\nPrecedence: bulk\nX-Autoreply: yes', 'auto_reply'],
  ['RFC 3834 with parameters', 'Auto-Submitted: auto-replied; owner-email="a@b.example"', 'auto_reply'],
  ['RFC 3834 with a comment', 'Auto-Submitted: auto-generated (cron)', 'auto_generated'],
  ['RFC 5436', 'Auto-Submitted: auto-notified; owner-token=af3', 'auto_generated'],
  ['an autoresponder', 'X-Autorespond: Order', 'auto_reply'],
  ['an old autoresponder', 'Precedence: auto_reply', 'auto_reply'],
  ['a mailing list', 'List-Id: Talk <talk.lists.example>\nPrecedence: list', 'list'],
  ['a newsletter', 'List-Unsubscribe: <https://n.example/u>', 'bulk'],
  ['bulk', 'Precedence: bulk', 'bulk'],
  ['no sender', 'Return-Path: <>', 'auto_generated'],
  ['a loop', 'X-Loop: support@x.example', 'loop'],
  ['sixty hops', 'Received: from x\n'.repeat(60), 'loop'],
  [
    'a read receipt',
    'Content-Type: multipart/report; report-type=disposition-notification; boundary=b',
    'read_receipt',
  ],
  ['a person', 'From: Casey <c@x.example>\nSubject: Order', null],
  ['a person, said so', 'Auto-Submitted: no', null],
  ['a person who wants no automatic answers', 'X-Auto-Response-Suppress: OOF, AutoReply', null],
  ['a person who writes about absence', 'Subject: Out of office next week?', null],
  ['an empty Auto-Submitted', 'Auto-Submitted:', null],
])('%s', (_what, headers, kind) => {
  expect(kindOf(headers)).toBe(kind)
})

test('it says by which header', () => {
  expect(automaticOf(headersIn('AUTO-SUBMITTED:  Auto-Replied'), null)).toEqual({
    kind: 'auto_reply',
    evidence: 'Auto-Submitted: Auto-Replied',
  })
})

test.each([
  ['List-Id: The talk <Talk.Lists.example>', 'talk.lists.example'],
  ['List-Id: talk.lists.example', 'talk.lists.example'],
  ['List-Id:', null],
  ['Subject: x', null],
])('%s: the list %s', (headers, id) => {
  expect(listIdOf(headersIn(headers))).toBe(id)
})
