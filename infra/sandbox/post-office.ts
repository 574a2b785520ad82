/** Who gets a mail: the sender's Sent folder, each persona's INBOX, and the outside world for everybody else. */
import { join } from 'node:path'
import { type Mailbox, openMailbox } from './mailbox.ts'
import { type Persona, personaByAddress, personas } from './personas.ts'

/** All mailboxes of the sandbox. */
export interface PostOffice {
  mailboxOf(persona: Persona): Mailbox
  /** What was sent to addresses that nobody here has; its INBOX, one mail for each recipient. */
  outside: Mailbox
  /** Delivers one mail to one recipient and returns its UID there. */
  deliver(recipient: string, raw: Buffer): number
  /** Takes a mail that a persona sent by SMTP: a copy to Sent, and one to each recipient of the envelope. */
  submit(sender: Persona, mail: { raw: Buffer; recipients: string[] }): void
}

/**
 * Opens all mailboxes below the directory.
 *
 * @throws {Error} naming the file, if one is damaged
 */
export function openPostOffice(directory: string, now: () => number): PostOffice {
  const mailboxes = new Map(
    personas.map(({ id, provider }) => [
      id,
      openMailbox(join(directory, id), { announcesSpecialUse: provider === 'google' }),
    ]),
  )
  const outside = openMailbox(join(directory, 'outside-world'), { announcesSpecialUse: false })

  function mailboxOf({ id }: Persona): Mailbox {
    const mailbox = mailboxes.get(id)
    if (!mailbox) throw new Error(`Cannot find a mailbox: no persona has the id '${id}'`)
    return mailbox
  }

  function deliver(recipient: string, raw: Buffer): number {
    const persona = personaByAddress(recipient)
    const mailbox = persona ? mailboxOf(persona) : outside
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
