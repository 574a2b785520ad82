/** One folder of one mailbox on disk: a file per mail with its very bytes, and an index with UIDs and flags. */

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Message } from 'hoodiecrow-imap'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import { integer } from '../../functions/channel/single-values.ts'

const indexSchema = v.object({
  uidValidity: v.pipe(integer, v.gtValue(0)),
  uidNext: v.pipe(integer, v.gtValue(0)),
  messages: v.array(
    v.object({
      uid: v.pipe(integer, v.gtValue(0)),
      flags: v.array(v.string()),
      internalDate: v.string(),
      recipient: v.optional(v.string()),
    }),
  ),
})

/** A mail as the IMAP server holds it, and whom the envelope named. */
export interface FolderMessage extends Message {
  recipient?: string | undefined
}

/** What a folder holds. */
interface FolderContent {
  uidvalidity: number
  uidnext: number
  messages: FolderMessage[]
}

/** A folder that was read and can be written back. */
export interface MailFolder {
  content: FolderContent
  /**
   * Writes what changed. Mails first, then the index by rename: a crash leaves the folder as it was before or after,
   * and a UID that the index ever held is not given to another mail.
   */
  save(content: FolderContent): void
}

/**
 * Reads the folder, or makes an empty one.
 *
 * @param newUidValidity for a folder that is made now; it stays for as long as the folder's files do
 * @throws {Error} naming the file, if one is missing or damaged
 */
export function openMailFolder(directory: string, newUidValidity: number): MailFolder {
  mkdirSync(directory, { recursive: true })
  const indexFile = join(directory, 'index.json')
  const content = readContent(directory, indexFile) ?? {
    uidvalidity: newUidValidity,
    uidnext: 1,
    messages: [],
  }
  const onDisk = new Set(content.messages.map(({ uid }) => uid))
  let written = ''

  function save({ uidvalidity, uidnext, messages }: FolderContent): void {
    for (const { uid, raw } of messages) {
      if (!onDisk.has(uid)) writeFileSync(mailFile(directory, uid), raw, { encoding: 'latin1', flush: true })
      onDisk.add(uid)
    }
    const index = JSON.stringify({
      uidValidity: uidvalidity,
      uidNext: uidnext,
      messages: messages.map(({ uid, flags, internaldate, recipient }) => ({
        uid,
        flags,
        internalDate: internaldate,
        recipient,
      })),
    })
    if (index === written) return
    writeFileSync(`${indexFile}.new`, index, { flush: true })
    renameSync(`${indexFile}.new`, indexFile)
    written = index
    const kept = new Set(messages.map(({ uid }) => uid))
    for (const uid of onDisk) {
      if (kept.has(uid)) continue
      rmSync(mailFile(directory, uid), { force: true })
      onDisk.delete(uid)
    }
  }

  save(content)
  return { content, save }
}

function readContent(directory: string, indexFile: string): FolderContent | undefined {
  let file = indexFile
  try {
    const index = parse(indexSchema, JSON.parse(readFileSync(indexFile, 'utf8')))
    const messages = index.messages.map(({ uid, flags, internalDate, recipient }) => {
      file = mailFile(directory, uid)
      return { uid, flags, internaldate: internalDate, raw: readFileSync(file, 'latin1'), recipient }
    })
    return { uidvalidity: index.uidValidity, uidnext: index.uidNext, messages }
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    if (missing && file === indexFile) return undefined
    const state = missing ? 'missing' : 'damaged'
    throw new Error(`Cannot read the sandbox's mail: ${file} is ${state}: restore it or delete its folder`, {
      cause,
    })
  }
}

function mailFile(directory: string, uid: number): string {
  return join(directory, `${uid}.eml`)
}
