/** `channels`: every channel, its logins, and who must act where one is not well. */

import { type Api, allChannels } from './api.ts'
import type { Options } from './postroom.ts'
import { printTable } from './table.ts'

export async function listChannels(api: Api, options: Options): Promise<number> {
  const rows: string[][] = []
  for await (const { channels } of allChannels(api, options)) {
    for (const channel of channels) {
      if (options.json) console.log(JSON.stringify(channel))
      const { id, accountId, email, login, auth, connection, disconnectedAt } = channel
      const state = disconnectedAt ? 'disconnected' : auth.state
      const logins = login.imap === login.smtp ? login.smtp : `${login.imap} / ${login.smtp}`
      rows.push([id, accountId, email, logins, state, connection.state, auth.fault?.actor ?? ''])
    }
  }
  if (!options.json)
    printTable(['channel', 'account', 'address', 'login', 'auth', 'connection', 'must act'], rows)
  return 0
}
