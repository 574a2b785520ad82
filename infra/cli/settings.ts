/** `settings`: what an app may set of a channel. */

import { channelPath, channelSchema } from './channel-document.ts'
import { command, exitCodes, UsageError } from './command.ts'

export const settingsCommand = command({
  name: 'settings',
  words: ['CHANNEL'],
  says: 'the name in From, and further addresses that may stand there',
  options: {
    name: { type: 'string', value: 'TEXT', says: 'the name; empty for the bare address' },
    alias: { type: 'string', value: 'ADDRESS', says: 'replaces those set before', multiple: true },
  },
  async run({ api, terminal, words, options }) {
    const body = {
      ...(options.name !== undefined && { displayName: options.name || null }),
      ...(options.alias.length > 0 && { aliases: options.alias.filter(address => address !== '') }),
    }
    if (Object.keys(body).length === 0) throw new UsageError('settings needs --name or --alias.')
    const channel = await api.call(channelSchema, 'PATCH', channelPath(words.CHANNEL), { body })
    if (terminal.json) terminal.document(channel)
    else terminal.line(`${channel.email} is changed.`)
    return exitCodes.done
  },
})
