/** Calls the API function as an app does, over a test's own stores. */

import { api } from '../../functions/api/api.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { HttpAnswer } from '../../functions/channel/http.ts'
import { mailKeys } from '../../functions/channel/mail-keys.ts'
import type { InboundMessage } from '../../functions/channel/messages.ts'
import { httpRequest, jsonOf, type RequestParts } from './http-requests.ts'
import type { Workbench } from './workbench.ts'

export interface ApiCaller {
  call(name: string, parts?: RequestParts): Promise<HttpAnswer>
  /** The JSON of the answer. */
  read(name: string, parts?: RequestParts): Promise<ReturnType<typeof jsonOf>>
  /** Sends a message; each is new. */
  send(channel: Channel, changes?: object): Promise<HttpAnswer>
}

export function apiCaller(bench: Workbench): ApiCaller {
  let keys = 0
  return {
    call: (name, parts) => api(httpRequest(name, parts), bench),
    async read(name, parts) {
      return jsonOf(await this.call(name, parts))
    },
    send(channel, changes) {
      // One after the other: lists are in the order of time, to the millisecond.
      bench.clock.advance(1)
      const headers = { 'idempotency-key': `key-${++keys}` }
      const body = { to: [{ address: 'customer@outside.example' }], subject: 'Hello', text: 'Hi', ...changes }
      return this.call(`POST /v1/channels/${channel.id}/messages`, { headers, body })
    },
  }
}

/** A message as `fetch` would have stored it. */
export async function addReceived(
  { messages, now }: Workbench,
  channel: Channel,
  subject: string,
): Promise<InboundMessage> {
  const id = `msg_received_${subject}`
  const place = mailKeys.inbound(channel.accountId, id)
  const message: InboundMessage = {
    id,
    accountId: channel.accountId,
    channelId: channel.id,
    direction: 'inbound',
    state: 'received',
    messageId: `<${id}@outside.example>`,
    threadId: 'th_1',
    from: [],
    to: [],
    cc: [],
    replyTo: [],
    subject,
    inReplyTo: null,
    references: [],
    sizeBytes: 0,
    rawKey: place.raw,
    contentKey: place.content,
    fault: null,
    receivedAt: new Date(now()).toISOString(),
    date: null,
    folder: 'INBOX',
    uid: 1,
    uidValidity: '1',
    automatic: null,
    listId: null,
    isFromSelf: false,
    report: null,
  }
  await messages.create(message)
  return message
}
