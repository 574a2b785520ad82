/** What the lists of the API have in common: a limit, and a cursor that goes on where a page ended. */

import * as z from 'zod'

const defaultLimit = 20
export const limitSchema = z.coerce
  .number({ message: 'must be a number' })
  .int({ message: 'must be a whole number' })
  .min(1, { message: 'must be at least 1' })
  .max(100, { message: 'must be at most 100' })
  .default(defaultLimit)
  .describe('How many the page may hold.')

/** A cursor is the place in a list, wrapped so that nobody builds one by hand. */
export const cursorSchema = z
  .string()
  .describe('The cursor of an earlier answer: continues after it.')
  .transform(text => Buffer.from(text, 'base64url').toString('utf8'))
  .refine(place => /^[\x20-\x7e]{1,400}$/.test(place), { message: 'must be a cursor from an earlier answer' })

export function writeCursor(place: string | null): string | null {
  return place === null ? null : Buffer.from(place).toString('base64url')
}

/** A page of a list as the API answers it: `{ <name>: […], cursor }`. */
export function pageOf<const Name extends string, S extends z.ZodType>(name: Name, item: S) {
  return z.object({
    [name]: z.array(item),
    cursor: z.string().nullable().describe('Continues this list; null at its end.'),
  } as { [key in Name]: z.ZodArray<S> } & { cursor: z.ZodNullable<z.ZodString> })
}
