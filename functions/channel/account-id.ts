/** The name an app gives to one of its tenants. */

import * as v from 'valibot'

export const accountIdSchema = v.pipe(
  v.string(),
  v.regex(
    /^[A-Za-z0-9][\w.:@-]{0,127}$/,
    'must be 1 to 128 letters, digits or . : @ _ -, beginning with a letter or digit',
  ),
  v.description('The account (tenant) of the calling app. An operator names it; a token stands for its own.'),
)
