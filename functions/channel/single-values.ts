/** Schemas of single values that many documents have. */

import * as v from 'valibot'

const wholeNumber = 'must be a whole number'

export const integer = v.pipe(v.number(wholeNumber), v.safeInteger(wholeNumber))

/** A number as forms and queries have it, which is text, or as JSON has it. */
export const numeric = v.pipe(
  v.unknown(),
  v.check(value => typeof value === 'number' || typeof value === 'string', 'must be a number'),
  v.transform(Number),
)

const notBase64 = 'must be base64'

/** RFC 4648, section 4, without line breaks. Not Valibot's own: its pattern exhausts the stack at a few megabytes. */
export const base64 = v.pipe(
  v.string(notBase64),
  v.check(text => text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(text.replace(/={1,2}$/, '')), notBase64),
  v.metadata({ contentEncoding: 'base64' }),
)

const isoDay = 'must be a day such as 2026-11-26'

export const day = v.pipe(v.string(isoDay), v.isoDate(isoDay), v.check(isOfCalendar, isoDay))

const isoTime = 'must be an ISO 8601 time with an offset'

/** RFC 3339, section 5.6: date, time and offset from UTC, such as 2026-11-26T12:00:00Z. */
export const time = v.pipe(
  v.string(isoTime),
  v.isoTimestamp(isoTime),
  v.check(text => isOfCalendar(text) && !Number.isNaN(Date.parse(text)), isoTime),
)

/** The patterns know no months: a 30th of February would become the 2nd of March. */
function isOfCalendar(text: string): boolean {
  const date = text.slice(0, 10)
  const ms = Date.parse(`${date}T00:00:00Z`)
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)
}
