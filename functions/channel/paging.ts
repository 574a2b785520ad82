/** What the lists of the API have in common: a limit, and a cursor that goes on where a page ended. */

import * as v from 'valibot'
import { integer, numeric } from './single-values.ts'

const defaultLimit = 20
const [least, most] = [1, 100]

export const limitSchema = v.pipe(
  v.optional(
    v.pipe(
      numeric,
      integer,
      v.minValue(least, `must be at least ${least}`),
      v.maxValue(most, `must be at most ${most}`),
    ),
    defaultLimit,
  ),
  v.description('How many the page may hold.'),
  // For the OpenAPI document, which cannot know what becomes of the text of a query.
  v.metadata({ type: 'integer', minimum: least, maximum: most }),
)

/** A cursor is the place in a list, wrapped so that nobody builds one by hand. */
export const cursorSchema = v.pipe(
  v.string(),
  v.description('The cursor of an earlier answer: continues after it.'),
  v.transform(text => Buffer.from(text, 'base64url').toString('utf8')),
  v.check(place => /^[\x20-\x7e]{1,400}$/.test(place), 'must be a cursor from an earlier answer'),
)

export function writeCursor(place: string | null): string | null {
  return place === null ? null : Buffer.from(place).toString('base64url')
}

/** A page of a list as the API answers it: `{ <name>: […], cursor }`. */
export function pageOf<const Name extends string, S extends v.GenericSchema>(name: Name, item: S) {
  return v.object({
    [name]: v.array(item),
    cursor: v.pipe(v.nullable(v.string()), v.description('Continues this list; null at its end.')),
  } as { [key in Name]: v.ArraySchema<S, undefined> } & {
    cursor: v.NullableSchema<v.StringSchema<undefined>, undefined>
  })
}
