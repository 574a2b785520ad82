/** One mailbox, INBOX and Sent: kept on disk, and served by an IMAP instance of its own that tells clients of new mail. */
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import hoodiecrow, { type ImapServer } from 'hoodiecrow-imap'
import libraryFetchHandlers from 'hoodiecrow-imap/lib/commands/handlers/fetch.js'
import { type FolderMessage, type MailFolder, openMailFolder } from './mail-folder.ts'

/** The folders that every mailbox has. */
export const folderNames = ['INBOX', 'Sent'] as const
export type FolderName = (typeof folderNames)[number]

/** A mail as it lies in a folder. */
export interface StoredMail {
  uid: number
  raw: Buffer
  /** The envelope's recipient, null for a copy in Sent and for what an IMAP client appended. */
  recipient: string | null
}

/** A mailbox. What it was told is on disk when a call returns. */
export interface Mailbox {
  /** The instance an authenticated IMAP connection is moved to. */
  server: ImapServer
  /** Adds a mail and returns its UID. */
  append(
    folder: FolderName,
    mail: { raw: Buffer; receivedAtMs: number; recipient?: string; seen?: boolean },
  ): number
  messages(folder: FolderName): StoredMail[]
}

/** What after a login differs between the providers. */
export interface MailboxPersonality {
  /** Gmail announces SPECIAL-USE; Exchange does not, and gives the attribute in LIST all the same. */
  announcesSpecialUse: boolean
}

/**
 * Opens the mailbox in the directory, which is made where it is missing.
 *
 * @throws {Error} naming the file, if one is damaged
 */
export function openMailbox(directory: string, personality: MailboxPersonality): Mailbox {
  const folders = new Map<string, MailFolder>(
    folderNames.map(name => [name, openMailFolder(join(directory, name), randomInt(2, 2 ** 31))]),
  )
  const server = hoodiecrow({
    plugins: ['ID', 'IDLE', 'NAMESPACE', 'UNSELECT', 'UIDPLUS', 'LITERALPLUS'],
    id: { name: 'Postroom sandbox' },
    users: {},
    storage: {
      INBOX: { ...folders.get('INBOX')?.content },
      '': { separator: '/', folders: { Sent: { ...folders.get('Sent')?.content, flags: ['\\Sent'] } } },
    },
  })
  if (personality.announcesSpecialUse) server.registerCapability('SPECIAL-USE')
  for (const command of ['CREATE', 'DELETE', 'RENAME']) refuse(server, command)
  serveBytesUnparsed(server)

  function save(name: string): void {
    const live = server.getMailbox(name)
    if (live) folders.get(name)?.save(live)
  }

  // Whatever an IMAP client changes is written before its command is answered, since output handlers run first.
  server.outputHandlers.push((_connection, response, _description, parsed) => {
    const changing = /^(UID )?(APPEND|STORE|EXPUNGE|CLOSE|COPY|FETCH)$/i.test(parsed?.command ?? '')
    if (changing && response.tag !== '*' && response.command === 'OK')
      for (const name of folderNames) save(name)
  })

  return {
    server,
    append: (folder, { raw, receivedAtMs, recipient, seen = false }) => {
      const flags = seen ? ['\\Seen'] : []
      const { message } = server.appendMessage(folder, flags, imapDate(receivedAtMs), raw.toString('latin1'))
      const kept: FolderMessage = message
      kept.recipient = recipient
      save(folder)
      return message.uid
    },
    messages: folder => {
      const messages: FolderMessage[] = server.getMailbox(folder)?.messages ?? []
      return messages.map(({ uid, raw, recipient = null }) => ({
        uid,
        raw: Buffer.from(raw, 'latin1'),
        recipient,
      }))
    },
  }
}

/** Folders are fixed, because a folder made here would be gone after a restart. */
function refuse(server: ImapServer, command: string): void {
  server.setCommandHandler(command, (connection, parsed, data, callback) => {
    const text = 'Folders of the sandbox are fixed.'
    connection.send(
      { tag: parsed.tag, command: 'NO', attributes: [{ type: 'TEXT', value: text }] },
      command,
      parsed,
      data,
    )
    callback()
  })
}

/** `BODY[]` is the bytes as they are. The library parses the whole mail first, which is slow and can fail for odd mail. */
function serveBytesUnparsed(server: ImapServer): void {
  const library = libraryFetchHandlers
  for (const key of ['BODY', 'BODY.PEEK']) {
    server.fetchHandlers[key] = (connection, message, query) => {
      const whole = query.section?.length === 0 && query.partial === undefined
      return whole ? { type: 'LITERAL', value: message.raw } : library[key]?.(connection, message, query)
    }
  }
}

/** IMAP's date-time (RFC 9051, section 9), in UTC: ` 4-Nov-2026 03:17:06 +0000`. */
function imapDate(atMs: number): string {
  const [, day = '', month = '', year = '', time = ''] =
    /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(new Date(atMs).toUTCString()) ?? []
  return `${day}-${month}-${year} ${time} +0000`
}
