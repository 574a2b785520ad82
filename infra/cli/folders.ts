/** `folders`: which folders of a mailbox are read, and whether it has them. */

import { folderRoles } from '../../functions/channel/folder-roles.ts'
import type { Api } from './api.ts'
import { type Channel, channelPath, channelSchema } from './channel-document.ts'
import { command, exitCodes } from './command.ts'
import type { Terminal } from './terminal.ts'
import { nextLook } from './waiting.ts'

/** A poll that is asked for begins within seconds; where it does not, the mailbox's next turn finds the folders. */
const looks = 30

export const foldersCommand = command({
  name: 'folders',
  words: ['CHANNEL'],
  says: 'which folders are read, and which of them the mailbox does not have',
  more: `A folder is INBOX, a whole name as a mail program shows it, or a role that fits every mailbox in every language:\n${folderRoles.join(', ')}. After a change the mailbox is asked for them at once. Exit code 1 if one is not there.`,
  options: {
    read: {
      type: 'string',
      value: 'FOLDER',
      says: 'reads this one; replaces those that were read before',
      multiple: true,
    },
  },
  async run({ api, terminal, words, options, signal }) {
    const path = channelPath(words.CHANNEL)
    const channel =
      options.read.length === 0
        ? await api.call(channelSchema, 'GET', path)
        : await changed(options.read, { api, path, terminal, signal })
    if (terminal.json) terminal.document(channel)
    else
      terminal.table(
        ['folder', 'in the mailbox'],
        channel.folders.map(folder => [folder, whether(folder, channel)]),
      )
    return channel.missingFolders.length > 0 ? exitCodes.notWell : exitCodes.done
  },
})

async function changed(
  folders: string[],
  { api, path, terminal, signal }: { api: Api; path: string; terminal: Terminal; signal: AbortSignal },
): Promise<Channel> {
  let channel = await api.call(channelSchema, 'PATCH', path, { body: { folders } })
  for (let look = 0; look < looks && isToBeLookedFor(channel); look++) {
    terminal.progress('The mailbox is asked for its folders')
    if (!(await nextLook(signal))) break
    channel = await api.call(channelSchema, 'GET', path)
  }
  if (isToBeLookedFor(channel)) terminal.note('They are set, and looked for when the mailbox is read next.')
  return channel
}

function isToBeLookedFor({ folders, foldersLookedAt }: Channel): boolean {
  return foldersLookedAt === null && folders.some(folder => folder.toUpperCase() !== 'INBOX')
}

function whether(folder: string, channel: Channel): string {
  if (channel.missingFolders.includes(folder)) return 'no'
  return folder.toUpperCase() === 'INBOX' || channel.foldersLookedAt !== null ? 'yes' : 'not looked yet'
}
