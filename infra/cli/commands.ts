/** The table of commands, in the order the help lists them. */

import { channelCommand } from './channel.ts'
import { channelsCommand } from './channels.ts'
import { type Command, command, exitCodes } from './command.ts'
import { connectCommand, disconnectCommand } from './connect.ts'
import { costCommand } from './cost.ts'
import { eventsCommand } from './events.ts'
import { federateCommand } from './federate.ts'
import { foldersCommand } from './folders.ts'
import { importCommand } from './import.ts'
import { cancelCommand, messageCommand, rawCommand, resolveCommand, retryCommand } from './message.ts'
import { messagesCommand, outboxCommand } from './messages.ts'
import { pollCommand } from './poll.ts'
import { probeCommand } from './probe.ts'
import { reconcileLoginsCommand } from './reconcile-logins.ts'
import { reparseCommand } from './reparse.ts'
import { sendCommand } from './send.ts'
import { settingsCommand } from './settings.ts'
import { stackCommand } from './stack.ts'
import { webhookCommands } from './webhooks.ts'

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
  channelCommand,
  connectCommand,
  disconnectCommand,
  settingsCommand,
  foldersCommand,
  probeCommand,
  reconcileLoginsCommand,
  pollCommand,
  messagesCommand,
  outboxCommand,
  messageCommand,
  rawCommand,
  reparseCommand,
  sendCommand,
  retryCommand,
  cancelCommand,
  resolveCommand,
  eventsCommand,
  ...webhookCommands,
  importCommand,
  federateCommand,
  costCommand,
  stackCommand,
  helpCommand,
]
