/** `connect` and `disconnect`: from a link for the mailbox's owner to the confirmed channel, and its end. */

import * as v from 'valibot'
import type { Api } from './api.ts'
import { channelPath, channelSchema, faultSchema } from './channel-document.ts'
import { command, exitCodes, UsageError } from './command.ts'
import { nextLook } from './waiting.ts'

const linkSchema = v.object({ id: v.string(), connectUrl: v.string(), expiresAt: v.string() })
const sessionSchema = v.object({ state: v.string(), fault: v.nullable(faultSchema) })
const confirmedSchema = v.looseObject({ channel: channelSchema })

export const connectCommand = command({
  name: 'connect',
  words: [],
  says: 'makes a link, waits until its mailbox owner has consented, and confirms the channel',
  more: 'The link is the first thing printed: open it, or send it to the owner. Exit code 4 if no channel came of it.',
  options: {
    account: { type: 'string', value: 'ID', says: 'the account the channel is to belong to', required: true },
    provider: { type: 'string', value: 'NAME', says: 'microsoft or google', required: true },
    channel: { type: 'string', value: 'ID', says: 'reconnects this channel; another mailbox is refused' },
    shared: { type: 'string', value: 'ADDRESS', says: 'a shared mailbox that the person may open' },
    hint: { type: 'string', value: 'LOGIN', says: 'fills in who signs in' },
    since: { type: 'string', value: 'TIME', says: 'reports mail from then on (ISO 8601), not only new mail' },
    folder: {
      type: 'string',
      value: 'FOLDER',
      says: 'reads this folder, by name or role, and INBOX only if it is named; see `folders`',
      multiple: true,
    },
    'prove-send-as': { type: 'boolean', says: 'sends one marked mail from the mailbox to itself first' },
  },
  async run({ api, terminal, options, signal }) {
    const link = await api.call(linkSchema, 'POST', '/v1/connect-sessions', {
      body: {
        accountId: options.account,
        provider: options.provider,
        channelId: options.channel,
        sharedMailbox: options.shared,
        loginHint: options.hint,
        fetchSince: options.since,
        folders: options.folder.length > 0 ? options.folder : undefined,
        proveSendAs: options['prove-send-as'],
      },
    })
    if (terminal.json) terminal.document(link)
    else terminal.line(link.connectUrl)
    terminal.note(`Open it in a browser within ten minutes (until ${link.expiresAt}).`)

    const path = `/v1/connect-sessions/${link.id}`
    const session = await settled(api, path, { progress: text => terminal.progress(text), signal })
    if (session.state === 'awaiting_confirmation') {
      const { channel } = await api.call(confirmedSchema, 'POST', `${path}/confirm`)
      if (terminal.json) terminal.document(channel)
      else terminal.line(`${channel.email} is connected as ${channel.id}, login ${channel.login.smtp}.`)
      return exitCodes.done
    }
    const { fault, state } = session
    terminal.note(
      fault
        ? `Not connected: ${fault.code}: ${fault.summary} Must act: ${fault.actor}.`
        : `Not connected: the session is ${state}.`,
    )
    return exitCodes.refused
  },
})

async function settled(
  api: Api,
  path: string,
  { progress, signal }: { progress(text: string): void; signal: AbortSignal },
): Promise<v.InferOutput<typeof sessionSchema>> {
  for (;;) {
    const session = await api.call(sessionSchema, 'GET', path)
    if (['awaiting_confirmation', 'connected', 'failed', 'expired'].includes(session.state)) return session
    progress(session.state === 'open' ? 'Nobody has opened the link yet' : `The session is ${session.state}`)
    if (!(await nextLook(signal))) return session
  }
}

const endedSchema = v.object({ ...channelSchema.entries, revokedAtProvider: v.boolean() })

export const disconnectCommand = command({
  name: 'disconnect',
  words: ['CHANNEL'],
  says: 'ends a channel: its grant is revoked and forgotten, what is queued is cancelled',
  options: {
    yes: { type: 'boolean', says: 'without it nothing is done: only a new consent brings it back' },
  },
  async run({ api, terminal, words, options }) {
    if (!options.yes)
      throw new UsageError('disconnect needs --yes: only a new consent of the owner brings the mailbox back.')
    const channel = await api.call(endedSchema, 'DELETE', channelPath(words.CHANNEL))
    if (terminal.json) terminal.document(channel)
    else {
      terminal.line(`${channel.email} is disconnected.`)
      if (!channel.revokedAtProvider)
        terminal.line('The provider has no revocation: its owner can remove the app from their account.')
    }
    return exitCodes.done
  },
})
