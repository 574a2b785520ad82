/** Which mail this is. UIDs change when a server numbers anew or a mail is moved; what it says does not. */

import { createHash } from 'node:crypto'
import { derivedId } from '../channel/identifiers.ts'
import type { FetchedMail } from '../channel/imap-reader.ts'

/**
 * The same mail has the same id in every folder, after a UIDVALIDITY change and after it was moved out and back.
 * Gmail says which mail it is; elsewhere its bytes do, which hold the line that the receiving server put on top for
 * this delivery alone (RFC 5321 4.4). Equal Message-IDs with other content are other mails, as they should be.
 */
export function mailIdentity(mail: Pick<FetchedMail, 'gmailId' | 'raw'>): string {
  return mail.gmailId === null
    ? createHash('sha256').update(mail.raw).digest('base64url')
    : `X-GM-MSGID ${mail.gmailId}`
}

export function inboundId(channelId: string, identity: string): string {
  return derivedId('msg', channelId, identity)
}

/** A mail that lies in the mailbox a second time, byte for byte, beside the first. */
export function copyId(
  channelId: string,
  place: { folder: string; uidValidity: string; uid: number },
): string {
  return derivedId('msg', channelId, place.folder, place.uidValidity, place.uid)
}
