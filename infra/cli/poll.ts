/** `poll`: fetches a channel's new mail now, not at its next turn. */

import * as v from 'valibot'
import { channelPath } from './channel-document.ts'
import { command, exitCodes } from './command.ts'

const pollingSchema = v.object({ channelId: v.string(), state: v.string() })

export const pollCommand = command({
  name: 'poll',
  words: ['CHANNEL'],
  says: 'fetches new mail now',
  more: 'Done once it is asked for; what is found shows in `events --follow`.',
  options: {},
  async run({ api, terminal, words }) {
    const polling = await api.call(pollingSchema, 'POST', `${channelPath(words.CHANNEL)}/poll`)
    if (terminal.json) terminal.document(polling)
    else terminal.line('The mailbox is being fetched.')
    return exitCodes.done
  },
})
