/** The table of commands, in the order the help lists them. */

import { channelsCommand } from './channels.ts'
import { type Command, command, exitCodes } from './command.ts'
import { federateCommand } from './federate.ts'
import { probeCommand } from './probe.ts'
import { reconcileLoginsCommand } from './reconcile-logins.ts'
import { reparseCommand } from './reparse.ts'

/** Answered before any command runs; it stands here to be listed. */
const helpCommand = command({
  name: 'help',
  words: ['[COMMAND]'],
  says: 'this list, or what one command takes',
  options: {},
  run: async () => exitCodes.done,
})

export const commands: Command[] = [
  channelsCommand,
  probeCommand,
  reconcileLoginsCommand,
  reparseCommand,
  federateCommand,
  helpCommand,
]
