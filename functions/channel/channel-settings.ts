/** What an app may set of a channel. */

import * as v from 'valibot'
import { folderRoles } from './folder-roles.ts'
import { idLengthLimit } from './identifiers.ts'
import { addressSchema } from './mail-address.ts'

const shortName = v.pipe(
  v.string(),
  v.minLength(1, 'must not be empty'),
  v.maxLength(200, 'must be at most 200 characters'),
  v.regex(/^\P{Cc}*$/u, 'must not hold control characters'),
)

const aliasLimit = 50
/** Each costs a command in every poll, and a cursor to be read. */
const folderLimit = 10

export const foldersSchema = v.pipe(
  v.array(shortName),
  v.minLength(1, 'must have at least one entry'),
  v.maxLength(folderLimit, `must have at most ${folderLimit} entries`),
  v.check(folders => new Set(folders).size === folders.length, 'must name no folder twice'),
  v.description(
    `Folders that are read, in this order: INBOX, whole names as a mail program shows them, or roles, which fit every mailbox in every language: ${folderRoles.join(', ')}. A mail that lies in several is one message.`,
  ),
)

export const channelSettingsSchema = v.strictObject({
  displayName: v.optional(
    v.pipe(v.nullable(shortName), v.description('The name in From. Null sends the bare address.')),
  ),
  aliases: v.optional(
    v.pipe(
      v.array(addressSchema),
      v.maxLength(aliasLimit, `must have at most ${aliasLimit} entries`),
      v.description(
        'Further addresses of the mailbox that a message may have in From; replaces those set before.',
      ),
    ),
  ),
  ownerNotice: v.optional(
    v.pipe(
      v.nullable(
        v.strictObject({
          from: v.pipe(
            v.string(),
            v.maxLength(idLengthLimit),
            v.description('Another channel of the same account, which the mail is sent from.'),
          ),
          to: v.pipe(
            v.optional(v.nullable(addressSchema), null),
            v.description('Null for the mailbox’s own address.'),
          ),
        }),
      ),
      v.description(
        'Mails the owner, with a link to reconnect, when the channel must be reconnected, and with each reminder. Null for no mail.',
      ),
    ),
  ),
  folders: v.optional(foldersSchema),
})
