/** The name an app gives to one of its tenants. */

import * as z from 'zod'

export const accountIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9][\w.:@-]{0,127}$/, {
    message: 'must be 1 to 128 letters, digits or . : @ _ -, beginning with a letter or digit',
  })
  .describe('The account (tenant) of the calling app. An operator names it; a token stands for its own.')
