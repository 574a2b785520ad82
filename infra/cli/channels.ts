/** `channels`: every channel, its logins, and who must act where one is not well. */

import { allChannels } from './channel-document.ts'
import { command, exitCodes } from './command.ts'

export const channelsCommand = command({
  name: 'channels',
  words: [],
  says: 'every channel, its logins and its health',
  options: {
    account: { type: 'string', value: 'ID', says: 'only the channels of this account' },
    after: { type: 'string', value: 'CURSOR', says: 'goes on where an earlier call stopped' },
  },
  async run({ api, terminal, options }) {
    const rows: string[][] = []
    for await (const { channels } of allChannels(api, options)) {
      for (const channel of channels) {
        if (terminal.json) terminal.document(channel)
        const { id, accountId, email, login, auth, connection, disconnectedAt } = channel
        const state = disconnectedAt ? 'disconnected' : auth.state
        const logins = login.imap === login.smtp ? login.smtp : `${login.imap} / ${login.smtp}`
        rows.push([id, accountId, email, logins, state, connection.state, auth.fault?.actor ?? ''])
      }
      terminal.progress(`${rows.length} channels`)
    }
    if (!terminal.json)
      terminal.table(['channel', 'account', 'address', 'login', 'auth', 'connection', 'must act'], rows)
    return exitCodes.done
  },
})
