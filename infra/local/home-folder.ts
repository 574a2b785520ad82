/** The folder of everything that survives a restart: POSTROOM_DATA, or `.postroom` here. */

import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { errorCodeOf, LocalError } from './local-error.ts'

const defaultFolder = '.postroom'

/** @throws LocalError that names the folder if it cannot be made or opened */
export async function homeFolder(environment: NodeJS.ProcessEnv): Promise<string> {
  const folder = resolve(environment.POSTROOM_DATA || defaultFolder)
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(error => {
    throw new LocalError(`The data folder ${folder} cannot be made or opened (${errorCodeOf(error)}).`, {
      cause: error,
    })
  })
  return folder
}
