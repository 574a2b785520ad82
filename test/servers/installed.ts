/** Tells what this suite needs and the machine lacks. */

import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

export const dovecotProgram = '/usr/sbin/dovecot'
export const postfixProgram = '/usr/sbin/postfix'
export const postfixMaster = '/usr/lib/postfix/sbin/master'

/** A reason why the mail servers cannot be run here, for a person; null if they can. */
export const missingForMail = mailReason()
/** A reason why DynamoDB Local cannot be run here, for a person; null if it can. */
export const missingForStorage = hasOnPath('java') ? null : 'DynamoDB Local needs Java 17 or newer'

function mailReason(): string | null {
  const packages = [
    isProgram('/usr/lib/dovecot/imap') ? [] : ['dovecot-imapd'],
    isProgram('/usr/lib/dovecot/lmtp') ? [] : ['dovecot-lmtpd'],
    isProgram(postfixProgram) ? [] : ['postfix'],
  ].flat()
  if (packages.length > 0) return `the mail servers need the Debian packages ${packages.join(', ')}`
  // Postfix's master changes to other users.
  return process.getuid?.() === 0 ? null : 'the mail servers must be started by root'
}

function hasOnPath(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some(folder => isProgram(join(folder, name)))
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
