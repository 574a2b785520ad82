/** What tests keep between runs: where a second run need not make it again. */

import { fileURLToPath } from 'node:url'

export const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/postroom', import.meta.url))
/** The app as it is deployed; `synthesize` brings it up to date. */
export const assemblyFolder = `${cacheFolder}/assembly`
/** Its template alone, which says what tables there are. */
export const templateFolder = `${cacheFolder}/template`
