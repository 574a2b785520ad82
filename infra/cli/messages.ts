/** `messages` and `outbox`: what a channel received, and what became of what it was given to send. */

import type { Api } from './api.ts'
import { command, exitCodes, UsageError } from './command.ts'
import { allMessages, type Message } from './message-document.ts'

const limit = {
  type: 'string',
  value: 'N',
  says: 'how many, newest first; without it 20, 0 for all',
} as const

export const messagesCommand = command({
  name: 'messages',
  words: ['CHANNEL'],
  says: 'what a channel received, newest first',
  options: { limit },
  async run({ api, terminal, words, options }) {
    const found = await newest(api, { channelId: words.CHANNEL, direction: 'inbound', limit: options.limit })
    if (terminal.json) for (const message of found) terminal.document(message)
    else
      terminal.table(
        ['message', 'received', 'from', 'subject'],
        found.map(({ id, receivedAt, from, subject }) => [
          id,
          receivedAt ?? '',
          from?.[0]?.address ?? '',
          subject ?? '',
        ]),
      )
    return exitCodes.done
  },
})

export const outboxCommand = command({
  name: 'outbox',
  words: ['CHANNEL'],
  says: 'what became of what was to be sent, newest first',
  options: {
    limit,
    state: { type: 'string', value: 'STATE', says: 'only those in this state, such as failed or uncertain' },
  },
  async run({ api, terminal, words, options }) {
    const found = await newest(api, {
      channelId: words.CHANNEL,
      direction: 'outbound',
      limit: options.limit,
      state: options.state,
    })
    if (terminal.json) for (const message of found) terminal.document(message)
    else
      terminal.table(
        ['message', 'accepted', 'state', 'to', 'subject', 'reason', 'must act'],
        found.map(({ id, acceptedAt, state, to, subject, fault }) => [
          id,
          acceptedAt ?? '',
          state,
          to?.map(({ address }) => address).join(', ') ?? '',
          subject ?? '',
          fault?.code ?? '',
          fault?.actor ?? '',
        ]),
      )
    return exitCodes.done
  },
})

interface Wanted {
  channelId: string
  direction: 'inbound' | 'outbound'
  limit: string | undefined
  state?: string | undefined
}

async function newest(api: Api, { channelId, direction, limit = '20', state }: Wanted): Promise<Message[]> {
  if (!/^\d{1,9}$/.test(limit)) throw new UsageError(`--limit must be a whole number; it is "${limit}".`)
  const most = Number(limit) || Number.POSITIVE_INFINITY
  const found: Message[] = []
  for await (const message of allMessages(api, { channelId, direction })) {
    if (state !== undefined && message.state !== state) continue
    found.push(message)
    if (found.length >= most) break
  }
  return found
}
