/** The folders of a mailbox: what LIST says of them, and which one is meant by a name or a role. */

import { specialUse } from 'imapflow/lib/special-use.js'
import { folderRoles } from './folder-roles.ts'
import type { Answer } from './imap-wire.ts'

export interface ListedFolder {
  /** As the server spells it: modified UTF-7 (RFC 3501 5.1.3). */
  path: string
  /** As people read it. */
  name: string
  /** Lower case. RFC 6154 has those that say what a folder is for. */
  attributes: string[]
  /** Between a folder's name and that of the one it lies in; null: this one holds no others. */
  delimiter: string | null
}

const attributeOf: Record<string, string> = Object.fromEntries(
  folderRoles.map(role => [role, `\\${role[0]?.toUpperCase()}${role.slice(1)}`]),
)

/** `* LIST (\HasNoChildren \Sent) "/" "Gesendete Elemente"`; the name may be quoted, a literal, or neither. */
export function listedFolder({ text, literals }: Answer): ListedFolder | undefined {
  const found = /^\* LIST \(([^()]*)\) (?:"((?:[^"\\]|\\.)+)"|NIL) (.+)$/i.exec(text)
  if (!found) return undefined
  const [, attributes = '', delimiter, spelled = ''] = found
  const [literal] = literals
  const path =
    literal && /\{\d+\}$/.test(spelled)
      ? Buffer.from(literal.bytes).toString('latin1')
      : spelled.replace(/^"(.*)"$/, '$1').replace(/\\(.)/g, '$1')
  return {
    path,
    name: fromModifiedUtf7(path),
    attributes: attributes.toLowerCase().split(' ').filter(Boolean),
    delimiter: delimiter?.replace(/\\(.)/g, '$1') ?? null,
  }
}

/**
 * @param wanted a role of `folderRoles`, or a folder's whole name
 * @returns its path; undefined where the mailbox has no such folder
 */
export function pathOf(wanted: string, folders: ListedFolder[]): string | undefined {
  const readable = folders.filter(
    ({ attributes }) => !attributes.includes('\\noselect') && !attributes.includes('\\nonexistent'),
  )
  const attribute = attributeOf[wanted]
  if (attribute === undefined) return readable.find(({ name }) => isSameName(name, wanted))?.path
  // Exchange gives the attributes and does not announce that it does. Where both are there, they count more than names.
  const marked = readable.find(({ attributes }) => attributes.includes(attribute.toLowerCase()))
  return (marked ?? readable.find(folder => isNamedFor(folder, attribute)))?.path
}

/** By the names that mail programs and providers give it, in their languages: a folder named so deep inside another is not it. */
function isNamedFor({ name, delimiter }: ListedFolder, attribute: string): boolean {
  const parts = delimiter === null ? [name] : name.split(delimiter)
  const isNearTop = parts.length === 1 || (parts.length === 2 && /^(inbox|\[.+\])$/i.test(parts[0] ?? ''))
  const { flag } = specialUse(false, { flags: new Set(), name: parts.at(-1) ?? '' })
  return isNearTop && flag === attribute
}

/** INBOX alone knows no difference between small and large letters (RFC 3501 5.1). */
function isSameName(name: string, wanted: string): boolean {
  return wanted.toUpperCase() === 'INBOX'
    ? name.toUpperCase() === 'INBOX'
    : name.normalize('NFC') === wanted.normalize('NFC')
}

/** `Entw&APw-rfe`: UTF-16 in base64 between `&` and `-`; `&-` is the sign itself. */
function fromModifiedUtf7(path: string): string {
  return path.replace(/&([A-Za-z0-9+,]*)-/g, (_all, base64: string) => {
    if (base64 === '') return '&'
    const bytes = Buffer.from(base64.replaceAll(',', '/'), 'base64')
    return bytes
      .subarray(0, bytes.length & ~1)
      .swap16()
      .toString('utf16le')
  })
}
