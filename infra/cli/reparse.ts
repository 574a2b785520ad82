/** `reparse`: has stored mail parsed once more, one message or all that a channel received. */

import * as v from 'valibot'
import { command, exitCodes, UsageError } from './command.ts'
import { allMessages, messagePath } from './message-document.ts'

const askedSchema = v.object({ id: v.string() })

export const reparseCommand = command({
  name: 'reparse',
  words: ['[MESSAGE]'],
  says: 'parses a received mail once more, from its stored bytes',
  more: 'Done once everything is asked for; the work itself takes place within moments.',
  options: { channel: { type: 'string', value: 'ID', says: 'all that this channel received' } },
  async run({ api, terminal, words, options }) {
    if ((words.MESSAGE === undefined) === (options.channel === undefined))
      throw new UsageError('reparse needs either a message id or --channel ID.')
    let count = 0
    const ask = async (id: string) => {
      await api.call(askedSchema, 'POST', `${messagePath(id)}/reparse`)
      count += 1
      if (terminal.json) terminal.document({ id })
      terminal.progress(`${count} asked for`)
    }
    if (words.MESSAGE !== undefined) await ask(words.MESSAGE)
    else if (options.channel !== undefined)
      for await (const { id } of allMessages(api, { channelId: options.channel, direction: 'inbound' }))
        await ask(id)
    if (!terminal.json)
      terminal.line(`${count} ${count === 1 ? 'mail is' : 'mails are'} being parsed once more.`)
    return exitCodes.done
  },
})
