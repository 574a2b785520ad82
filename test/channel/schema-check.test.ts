/** What is said of a value that breaks a rule: which rule, and nothing of the value. */

import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { type BrokenRule, check, parse } from '../../functions/channel/schema-check.ts'
import { base64, integer, numeric, time } from '../../functions/channel/single-values.ts'

const brokenIn = (schema: v.GenericSchema, value: unknown): readonly BrokenRule[] => {
  const result = check(schema, value)
  return result.success ? [] : result.broken
}
const secret = 'eyJhbGciOi.secret'

test.each<[string, v.GenericSchema, unknown]>([
  ['must be a string', v.string(), 1],
  ['must be a number', v.number(), secret],
  ['must be a whole number', integer, 1.5],
  ['must be true or false', v.boolean(), secret],
  ['must be a list', v.array(v.string()), {}],
  ['must be an object', v.object({}), secret],
  ['must be an object', v.strictObject({ a: v.optional(v.string()) }), []],
  ['must be one of x, y', v.picklist(['x', 'y']), secret],
  ['must have at least 2', v.pipe(v.array(v.string()), v.minLength(2)), [secret]],
  ['must have at most 2', v.pipe(v.string(), v.maxLength(2)), secret],
  ['must be at least 3', v.pipe(integer, v.minValue(3)), 2],
  ['must be at most 3', v.pipe(integer, v.maxValue(3)), 4],
  ['must begin with arn:', v.pipe(v.string(), v.startsWith('arn:')), secret],
  ['must match /^a+$/', v.pipe(v.string(), v.regex(/^a+$/)), secret],
  ['must be a mail address', v.pipe(v.string(), v.rfcEmail()), secret],
  ['must be a URL', v.pipe(v.string(), v.url()), secret],
  [
    'must be blue',
    v.pipe(
      v.string(),
      v.check(text => text === 'blue', 'must be blue'),
    ),
    secret,
  ],
])('%s', (rule, schema, value) => {
  expect(brokenIn(schema, value)).toEqual([{ path: [], rule }])
})

describe('of an object', () => {
  const schema = v.strictObject({
    name: v.string(),
    login: v.object({ smtp: v.string() }),
    of: v.optional(v.array(v.strictObject({ at: time }))),
  })

  test('a field that is missing is named, wherever it stands', () => {
    expect(brokenIn(schema, { login: {} })).toEqual([
      { path: ['name'], rule: 'must be given' },
      { path: ['login', 'smtp'], rule: 'must be given' },
    ])
  })

  test('a field that nobody knows is named, and not what is in it', () => {
    const broken = brokenIn(schema, { name: '', login: { smtp: '' }, of: [{ at: '', token: secret }] })
    expect(broken.at(-1)).toEqual({ path: ['of', 0, 'token'], rule: 'is not a known field' })
    expect(JSON.stringify(broken)).not.toContain(secret)
  })

  test('two checks that say the same of one value say it once', () => {
    expect(brokenIn(time, secret)).toHaveLength(1)
  })
})

test('what is thrown names field and rule, and repeats no value', () => {
  const schema = v.object({ content: v.object({ text: v.nullable(v.string()) }), key: v.number() })
  const thrown = (() => {
    try {
      return parse(schema, { content: { text: [secret] }, key: secret })
    } catch (error) {
      return error
    }
  })()
  expect(String(thrown)).toBe('Error: content.text: must be a string')
})

describe('a time', () => {
  test.each(['2026-11-26T12:00:00Z', '2026-11-26T12:00:00.123+05:30', '2028-02-29T23:59:59-11:00'])(
    'may be %s',
    text => {
      expect(brokenIn(time, text)).toEqual([])
    },
  )

  test.each([
    '2026-02-30T12:00:00Z',
    '2027-02-29T12:00:00Z',
    '2026-11-26T12:00:00',
    '2026-11-26T25:00:00Z',
    '2026-11-26',
    'tomorrow',
    '',
  ])('may not be %s', text => {
    expect(brokenIn(time, text)).toEqual([{ path: [], rule: 'must be an ISO 8601 time with an offset' }])
  })
})

describe('base64', () => {
  // Regression: the pattern that was used before exhausted the stack at a few megabytes, which was an internal error.
  test('may be as long as a body of the API', () => {
    expect(brokenIn(base64, 'QUJD'.repeat(1_500_000))).toEqual([])
  })

  test.each(['', 'QQ==', 'QUI=', 'QUJD', '+/+/'])('may be %j', text => {
    expect(brokenIn(base64, text)).toEqual([])
  })

  test.each(['Q', 'QQ=', 'QUJD=', 'Q===', 'QQ==QQ==', 'QUJ\n', 'QUJ-', '===='])('may not be %j', text => {
    expect(brokenIn(base64, text)).toEqual([{ path: [], rule: 'must be base64' }])
  })
})

test.each([null, true, [], {}, [7], undefined])('%j is no number that a query could have meant', value => {
  expect(brokenIn(v.pipe(numeric, integer), value)).not.toEqual([])
})
