/** A channel that sends through a scripted SMTP server, with tokens from a scripted token endpoint. */

import { accept } from '../../functions/channel/accept.ts'
import type { Channel } from '../../functions/channel/channels.ts'
import type { OutboundMessage } from '../../functions/channel/messages.ts'
import { drain } from '../../functions/send/drain.ts'
import type { Engines } from './engines.ts'
import { type ScriptedImap, startScriptedImap } from './scripted-imap.ts'
import { type ScriptedSmtp, startScriptedSmtp } from './scripted-smtp.ts'
import { providersWith } from './test-providers.ts'
import { startTokenEndpoint, type TokenEndpoint } from './token-endpoint.ts'
import { addChannel, openWorkbench, type Workbench } from './workbench.ts'

export interface SendingChannel {
  smtp: ScriptedSmtp
  /** Asked only when SMTP refuses a sign-in: what does the other server say to it? */
  imap: ScriptedImap
  endpoint: TokenEndpoint
  bench: Workbench
  channel: Channel
  /** Accepts a message with this subject. */
  accept(subject: string, changes?: object): Promise<OutboundMessage>
  /** Drains as a Lambda with five minutes would. */
  drain(): Promise<void>
  /** The message as it is stored now. */
  latest(message: { id: string }): Promise<OutboundMessage>
  latestChannel(): Promise<Channel>
  /** Subjects of what the server accepted, in order. */
  subjects(): string[]
}

export const invocationMs = 5 * 60_000

export async function startSendingChannel(engines: Engines): Promise<SendingChannel> {
  const smtp = await startScriptedSmtp()
  const imap = await startScriptedImap()
  const endpoint = await startTokenEndpoint()
  endpoint.accept('refresh-0')
  const bench = openWorkbench(await engines.fresh(), {
    providers: providersWith({ smtp: smtp.server, imap: imap.server, tokenEndpoint: endpoint.url }),
  })
  const channel = await addChannel(bench, { tokens: { accessToken: 'access-0', refreshToken: 'refresh-0' } })
  let keys = 0
  return {
    smtp,
    imap,
    endpoint,
    bench,
    channel,
    accept(subject, changes = {}) {
      // Accepted one after the other: the outbox is in the order of time, to the millisecond.
      bench.clock.advance(1)
      const document = { to: [{ address: 'customer@outside.example' }], subject, text: 'Hi', ...changes }
      return accept({ channel, idempotencyKey: `key-${++keys}`, document }, bench)
    },
    drain: () => drain(channel.id, { services: bench, deadlineMs: bench.now() + invocationMs }),
    async latest({ id }) {
      const message = await bench.messages.get(id)
      if (message.direction !== 'outbound') throw new Error(`${id} is not outbound`)
      return message
    },
    latestChannel: () => bench.channels.get(channel.id),
    subjects: () => smtp.mails.map(({ raw }) => /^Subject: (.*)\r$/m.exec(raw.toString())?.[1] ?? ''),
  }
}
