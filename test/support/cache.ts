/** What tests keep between runs: where a second run need not make it again. */

import { fileURLToPath } from 'node:url'

export const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/postroom', import.meta.url))
export const assemblyFolder = `${cacheFolder}/assembly`
