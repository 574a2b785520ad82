/** `probe`: what each mail server answers to each name, with the same token (row S10). */

import { channelPath, recheckSchema } from './channel-document.ts'
import { command, exitCodes } from './command.ts'

export const probeCommand = command({
  name: 'probe',
  words: ['CHANNEL'],
  says: 'what each mail server says to each name of this mailbox, with the same token',
  more: 'What works is stored; a channel that an administrator has unblocked is well again. Exit code 1 if a\nserver accepts no name at all.',
  options: {},
  async run({ api, terminal, words }) {
    const result = await api.call(recheckSchema, 'POST', `${channelPath(words.CHANNEL)}/probe`)
    if (terminal.json) terminal.document(result)
    else {
      const rows = (['imap', 'smtp'] as const).flatMap(protocol =>
        result[protocol].map(({ login, accepted, answer }) => [
          protocol,
          login,
          accepted ? 'yes' : 'no',
          answer,
        ]),
      )
      terminal.table(['protocol', 'login', 'accepted', 'answer'], rows)
    }
    const works = [result.imap, result.smtp].every(attempts => attempts.some(({ accepted }) => accepted))
    return works ? exitCodes.done : exitCodes.notWell
  },
})
