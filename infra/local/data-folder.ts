/**
 * The folder that keeps what the local cloud stores. Remove it, and everything starts afresh.
 *
 *     dynamodb/   both tables, as dynalite's LevelDB; its lock keeps a second Postroom out of the same folder
 *     aws/        fauxqs.db (SQLite): queues with their messages, topics, subscriptions, buckets with their mail
 *     format      what wrote it: a newer Postroom's folder is refused, an older one's is read
 *     kms.key     32 random bytes: seals the data keys of OAuth tokens. Without it every mailbox must reconnect
 *
 * Mail and tokens lie in it, so only its owner may enter.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCodeOf, LocalError } from './local-error.ts'

export interface DataFolder {
  dynamodb: string
  aws: string
  masterKey: Buffer
}

const masterKeyBytes = 32

/**
 * Makes the folder and its key if they are not there yet.
 * @throws LocalError that names the folder or file if it cannot be used
 */
export async function openDataFolder(folder: string): Promise<DataFolder> {
  const [dynamodb, aws] = [join(folder, 'dynamodb'), join(folder, 'aws')]
  for (const path of [folder, dynamodb, aws]) {
    await mkdir(path, { recursive: true, mode: 0o700 }).catch(error => {
      throw new LocalError(`The data folder ${path} cannot be made or opened (${errorCodeOf(error)}).`, {
        cause: error,
      })
    })
  }
  await checkFormat(join(folder, 'format'))
  return { dynamodb, aws, masterKey: await readMasterKey(join(folder, 'kms.key')) }
}

/** Items say themselves of which version they are (functions/channel/table.ts); this is about the folder's own layout. */
const format = '1'

/** @throws LocalError that says what to do if a newer Postroom has written the folder */
async function checkFormat(file: string): Promise<void> {
  const found = await readFile(file, 'utf8').catch(error => {
    if (errorCodeOf(error) !== 'ENOENT') throw unreadable(file, error)
    return undefined
  })
  // Before there was this file, the layout was the same.
  if (found === undefined) return writeFile(file, format, { mode: 0o600 })
  if (found.trim() === format) return
  throw new LocalError(
    `The data folder ${dirname(file)} was written by a newer Postroom (format ${found.trim().slice(0, 20)}; this one reads ${format}): start that one, or choose another folder with POSTROOM_DATA.`,
  )
}

async function readMasterKey(file: string): Promise<Buffer> {
  try {
    return await makeMasterKey(file)
  } catch (error) {
    if (errorCodeOf(error) !== 'EEXIST') throw unreadable(file, error)
  }
  const key = await readFile(file).catch(error => {
    throw unreadable(file, error)
  })
  // Never replaced here: whoever puts the right key back can read the tokens again.
  if (key.length !== masterKeyBytes) {
    throw new LocalError(
      `The key file ${file} is damaged: it must hold ${masterKeyBytes} bytes, not ${key.length}.`,
    )
  }
  return key
}

/** @throws an error with code `EEXIST` if there is a key already */
async function makeMasterKey(file: string): Promise<Buffer> {
  const handle = await open(file, 'wx', 0o600)
  try {
    const key = randomBytes(masterKeyBytes)
    await handle.writeFile(key)
    await handle.sync()
    return key
  } finally {
    await handle.close()
  }
}

function unreadable(file: string, error: unknown): LocalError {
  return new LocalError(`The key file ${file} cannot be read or written (${errorCodeOf(error)}).`, {
    cause: error,
  })
}
