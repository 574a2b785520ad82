/** Whatever letters a mail holds, its event is JSON that SNS and SQS take. */

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { eventJson } from '../../functions/channel/event-json.ts'

/** What SQS takes, by its page about SendMessage. */
const accepted = /^[\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]*$/u

const letters = fc
  .array(
    fc.oneof(
      fc.constantFrom('\ufffe', '\uffff', '\ud800', '\udfff', '\u0000', '\u001f', '\u{1f600}', '\\', '"'),
      fc.string({ unit: 'binary' }),
    ),
  )
  .map(parts => parts.join(''))

test('SQS takes any text, and the reader gets every letter that is one', () => {
  fc.assert(
    fc.property(letters, text => {
      const json = eventJson({ id: 'ev_1', data: { subject: text, list: [text] } })
      expect(json).toMatch(accepted)
      const shown = text.toWellFormed()
      expect(JSON.parse(json)).toEqual({ id: 'ev_1', data: { subject: shown, list: [shown] } })
    }),
  )
})

test('half a letter would be escaped by JSON, and refused by the strict readers of it', () => {
  expect(eventJson(['a\ud800b'])).toBe('["a\ufffdb"]')
})
