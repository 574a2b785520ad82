/** `send`: one message from a channel, by options or as the API's own message document. */

import { randomUUID } from 'node:crypto'
import { basename } from 'node:path'
import libmime from 'libmime'
import * as v from 'valibot'
import { parse } from '../../functions/channel/schema-check.ts'
import type { Api } from './api.ts'
import { channelPath } from './channel-document.ts'
import { command, exitCodes, UsageError } from './command.ts'
import { readGiven } from './given-file.ts'
import { type Message, messagePath, messageSchema } from './message-document.ts'
import type { Terminal } from './terminal.ts'
import { nextLook } from './waiting.ts'

const acceptedSchema = v.looseObject({ id: v.string(), state: v.string() })

/** Nothing more happens to these by itself. */
const settledStates = ['sent', 'failed', 'cancelled', 'expired', 'uncertain', 'parked']

export const sendCommand = command({
  name: 'send',
  words: ['CHANNEL'],
  says: 'sends a message as this mailbox',
  more: 'The same --key with the same message is the same message: a call that broke off may be repeated with it.',
  options: {
    to: { type: 'string', value: 'ADDRESS', says: 'recipient', multiple: true },
    cc: { type: 'string', value: 'ADDRESS', says: 'gets a copy', multiple: true },
    bcc: { type: 'string', value: 'ADDRESS', says: 'gets a copy that nobody sees', multiple: true },
    subject: { type: 'string', value: 'TEXT', says: 'the subject' },
    text: { type: 'string', value: 'TEXT', says: 'the text; - reads it from stdin' },
    'reply-to-message': { type: 'string', value: 'MESSAGE', says: 'answers this message, in its thread' },
    attach: { type: 'string', value: 'FILE', says: 'attaches a file', multiple: true },
    document: {
      type: 'string',
      value: 'FILE',
      says: "the API's message document as JSON instead; - reads stdin",
    },
    key: { type: 'string', value: 'KEY', says: 'idempotency key; without it a new one' },
    wait: { type: 'boolean', says: 'waits until it is sent; exit code 1 if it is not' },
  },
  async run({ api, terminal, words, options, signal }) {
    const body = options.document
      ? await readDocument(options.document, terminal)
      : await composed(options, terminal)
    const accepted = await api.call(acceptedSchema, 'POST', `${channelPath(words.CHANNEL)}/messages`, {
      body,
      headers: { 'idempotency-key': options.key ?? `cli-${randomUUID()}` },
    })
    if (!options.wait) {
      if (terminal.json) terminal.document(accepted)
      else terminal.line(`${accepted.id} is accepted (${accepted.state}).`)
      return exitCodes.done
    }
    const message = await settled(api, accepted.id, { terminal, signal })
    if (terminal.json) terminal.document(message)
    else
      terminal.line(`${message.id} is ${message.state}.${message.fault ? ` ${message.fault.summary}` : ''}`)
    return message.state === 'sent' ? exitCodes.done : exitCodes.notWell
  },
})

async function readDocument(file: string, terminal: Terminal): Promise<object> {
  const text = file === '-' ? await terminal.read() : await readGiven(file, 'utf8')
  try {
    return parse(v.looseObject({}), JSON.parse(text))
  } catch {
    throw new UsageError(`${file === '-' ? 'stdin' : file} must hold one JSON object.`)
  }
}

async function composed(
  options: {
    to: string[]
    cc: string[]
    bcc: string[]
    subject: string | undefined
    text: string | undefined
    'reply-to-message': string | undefined
    attach: string[]
  },
  terminal: Terminal,
): Promise<object> {
  if (options.text === undefined) throw new UsageError('send needs --text TEXT or --document FILE.')
  const addresses = (list: string[]) => list.map(address => ({ address }))
  const attachments = await Promise.all(
    options.attach.map(async file => ({
      filename: basename(file),
      contentType: libmime.detectMimeType(file),
      content: await readGiven(file, 'base64'),
    })),
  )
  return {
    to: addresses(options.to),
    cc: addresses(options.cc),
    bcc: addresses(options.bcc),
    subject: options.subject,
    text: options.text === '-' ? await terminal.read() : options.text,
    inReplyTo: options['reply-to-message'],
    attachments,
  }
}

async function settled(
  api: Api,
  id: string,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<Message> {
  for (;;) {
    const message = await api.call(messageSchema, 'GET', messagePath(id))
    if (settledStates.includes(message.state)) return message
    terminal.progress(`${id} is ${message.state}`)
    if (!(await nextLook(signal))) return message
  }
}
