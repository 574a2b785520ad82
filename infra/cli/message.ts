/** Commands on one message: show it, its bytes, and what a person may decide about it. */

import { writeFile } from 'node:fs/promises'
import { type Command, command, exitCodes, UsageError } from './command.ts'
import { type Message, messagePath, messageSchema } from './message-document.ts'
import type { Terminal } from './terminal.ts'

export const messageCommand = command({
  name: 'message',
  words: ['MESSAGE'],
  says: 'one message: its state, why, and its text',
  options: {},
  async run({ api, terminal, words }) {
    const message = await api.call(messageSchema, 'GET', messagePath(words.MESSAGE))
    if (terminal.json) terminal.document(message)
    else showMessage(message, terminal)
    return exitCodes.done
  },
})

function showMessage(message: Message, terminal: Terminal): void {
  const addresses = (list: Message['to']) => list?.map(({ address }) => address).join(', ') ?? ''
  const facts: [string, string][] = [
    ['message', message.id],
    ['channel', message.channelId],
    ['state', message.state],
    ['from', addresses(message.from)],
    ['to', addresses(message.to)],
    ['cc', addresses(message.cc)],
    ['subject', message.subject ?? ''],
    ['thread', message.threadId ?? ''],
    ['at', message.receivedAt ?? message.acceptedAt ?? ''],
    ['reason', message.fault ? `${message.fault.code}: ${message.fault.summary}` : ''],
    ['evidence', message.fault?.evidence ?? ''],
    ['must act', message.fault?.actor ?? ''],
    ...message.attachments.map(
      ({ index, filename, sizeBytes }) =>
        [`attachment ${index}`, `${filename}, ${sizeBytes} bytes`] as [string, string],
    ),
  ]
  for (const [name, value] of facts) if (value !== '') terminal.line(`${name.padEnd(13)} ${value}`)
  if (message.text) terminal.line(`\n${message.text.trimEnd()}`)
}

export const rawCommand = command({
  name: 'raw',
  words: ['MESSAGE'],
  says: 'the bytes of a mail (RFC 5322), or of one of its attachments',
  options: {
    attachment: { type: 'string', value: 'N', says: 'this attachment, as `message` numbers them' },
    output: { type: 'string', value: 'FILE', says: 'writes to this new file instead of stdout' },
  },
  async run({ api, terminal, words, options }) {
    const { attachment, output } = options
    if (attachment !== undefined && !/^\d+$/.test(attachment))
      throw new UsageError(`--attachment must be a number; it is "${attachment}".`)
    const what = attachment === undefined ? 'raw' : `attachments/${attachment}`
    const bytes = await api.bytes(`${messagePath(words.MESSAGE)}/${what}`)
    if (output === undefined) terminal.bytes(bytes)
    else {
      // What a stranger sent overwrites nothing.
      await writeFile(output, bytes, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
        throw new UsageError(`${output} cannot be written (${error.code ?? 'unknown'}).`)
      })
      terminal.note(`${bytes.length} bytes are in ${output}.`)
    }
    return exitCodes.done
  },
})

/** @param done what a person is told, after the message's id */
function decision(
  name: string,
  { says, method, path, done }: { says: string; method: string; path: string; done: string },
): Command {
  return command({
    name,
    words: ['MESSAGE'],
    says,
    options: {},
    async run({ api, terminal, words }) {
      const message = await api.call(messageSchema, method, `${messagePath(words.MESSAGE)}${path}`)
      if (terminal.json) terminal.document(message)
      else terminal.line(`${message.id} ${done}.`)
      return exitCodes.done
    },
  })
}

export const retryCommand = decision('retry', {
  says: 'sends a failed or expired message again, or a waiting, scheduled or parked one now',
  method: 'POST',
  path: '/retry',
  done: 'is sent now',
})

export const cancelCommand = decision('cancel', {
  says: 'stops a message that is not on its way yet',
  method: 'DELETE',
  path: '',
  done: 'will not be sent',
})

export const resolveCommand = command({
  name: 'resolve',
  words: ['MESSAGE'],
  says: 'sends an uncertain message again, knowing that it may arrive twice',
  more: 'Uncertain is what nobody can tell of: the connection broke after the whole mail was handed over, and no copy\nlies in Sent. Left alone it stays as it is, and nothing is sent.',
  options: { resend: { type: 'boolean', says: 'must be given: it may arrive twice' } },
  async run({ api, terminal, words, options }) {
    if (!options.resend) throw new UsageError('resolve needs --resend: the message may then arrive twice.')
    const path = messagePath(words.MESSAGE)
    const { state } = await api.call(messageSchema, 'GET', path)
    if (state !== 'uncertain') {
      terminal.note(`${words.MESSAGE} is ${state}, not uncertain; nothing was done.`)
      return exitCodes.refused
    }
    const message = await api.call(messageSchema, 'POST', `${path}/retry`)
    if (terminal.json) terminal.document(message)
    else terminal.line(`${message.id} is sent again.`)
    return exitCodes.done
  },
})
