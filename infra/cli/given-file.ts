/** A file that a call names. */

import { readFile } from 'node:fs/promises'
import { UsageError } from './command.ts'

/** @throws UsageError naming the file and why it cannot be read */
export async function readGiven(file: string, encoding: 'utf8' | 'base64' = 'utf8'): Promise<string> {
  return readFile(file, encoding).catch((error: NodeJS.ErrnoException) => {
    throw new UsageError(`${file} cannot be read (${error.code ?? 'unknown'}).`)
  })
}
