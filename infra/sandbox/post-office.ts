/** Who gets a mail: the sender's Sent folder, the INBOX of each mailbox here, and the outside world for everybody else. */
import { join } from 'node:path'
import type { Directory } from './directory.ts'
import { type Mailbox, openMailbox } from './mailbox.ts'
import type { MailboxHolder, Persona } from './personas.ts'

/** All mailboxes of the sandbox. */
export interface PostOffice {
  mailboxOf(holder: MailboxHolder): Mailbox
  /** What was sent to addresses that nobody here has; its INBOX, one mail for each recipient. */
  outside: Mailbox
  /** Delivers one mail to one recipient and returns its UID there. */
  deliver(recipient: string, raw: Buffer): number
  /** Takes a mail that a persona sent by SMTP: a copy to Sent, and one to each recipient of the envelope. */
  submit(sender: Persona, mail: { raw: Buffer; recipients: string[] }): void
}

/**
 * Opens all mailboxes below the folder.
 *
 * @throws {Error} naming the file, if one is damaged
 */
export function openPostOffice(
  folder: string,
  { directory, now }: { directory: Directory; now(): number },
): PostOffice {
  const mailboxes = new Map(
    directory
      .mailboxes()
      .map(({ id, provider }) => [
        id,
        openMailbox(join(folder, id), { announcesSpecialUse: provider === 'google' }),
      ]),
  )
  const outside = openMailbox(join(folder, 'outside-world'), { announcesSpecialUse: false })

  function mailboxOf({ id }: MailboxHolder): Mailbox {
    const mailbox = mailboxes.get(id)
    if (!mailbox) throw new Error(`Cannot find a mailbox: nobody has the id '${id}'`)
    return mailbox
  }

  function deliver(recipient: string, raw: Buffer): number {
    const holder = directory.holderOf(recipient)
    const mailbox = holder ? mailboxOf(holder) : outside
    return mailbox.append('INBOX', { raw, receivedAtMs: now(), recipient })
  }

  return {
    mailboxOf,
    outside,
    deliver,
    submit: (sender, { raw, recipients }) => {
      mailboxOf(sender).append('Sent', { raw, receivedAtMs: now(), seen: true })
      for (const recipient of recipients) deliver(recipient, raw)
    },
  }
}
