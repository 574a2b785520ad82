/** `channel`: one channel with both health axes, the reason, who must act, and what led there. */

import { type Channel, channelPath, channelSchema } from './channel-document.ts'
import { command, exitCodes } from './command.ts'
import type { Terminal } from './terminal.ts'

export const channelCommand = command({
  name: 'channel',
  words: ['CHANNEL'],
  says: 'one channel: both health axes, the reason, who must act, what led there',
  more: 'Exit code 1 if it is not well.',
  options: {},
  async run({ api, terminal, words }) {
    const channel = await api.call(channelSchema, 'GET', channelPath(words.CHANNEL))
    if (terminal.json) terminal.document(channel)
    else showChannel(channel, terminal)
    const isWell =
      channel.auth.state === 'connected' &&
      channel.connection.state === 'ok' &&
      channel.folderFault === null &&
      channel.disconnectedAt === null
    return isWell ? exitCodes.done : exitCodes.notWell
  },
})

function showChannel(channel: Channel, terminal: Terminal): void {
  const { auth, connection, access, login, disconnectedAt } = channel
  const facts: [string, string][] = [
    ['channel', channel.id],
    ['account', channel.accountId],
    ['provider', channel.provider],
    ['address', channel.email],
    ['IMAP login', `${login.imap}${access.imap.state === 'ok' ? '' : ` (${access.imap.state})`}`],
    ['SMTP login', `${login.smtp}${access.smtp.state === 'ok' ? '' : ` (${access.smtp.state})`}`],
    ['reads', channel.folders.join(', ')],
    ...faultFacts(channel.folderFault),
    ['connected', channel.connectedAt],
    ['last fetched', channel.lastFetchedAt ?? 'nothing yet'],
    ['auth', disconnectedAt ? `disconnected since ${disconnectedAt}` : `${auth.state} since ${auth.since}`],
    ...faultFacts(auth.fault),
    ['connection', connection.until ? `${connection.state} until ${connection.until}` : connection.state],
    ...faultFacts(connection.fault),
  ]
  for (const [name, value] of facts) terminal.line(`${name.padEnd(13)} ${value}`)
  if (channel.history.length === 0) return
  terminal.line('')
  terminal.table(
    ['at', 'axis', 'protocol', 'from', 'to', 'reason', 'evidence'],
    channel.history.map(step => [
      step.at,
      step.axis,
      step.protocol ?? '',
      step.from,
      step.to,
      step.reason,
      step.evidence ?? '',
    ]),
  )
}

function faultFacts(fault: Channel['auth']['fault'] | undefined): [string, string][] {
  if (!fault) return []
  const { code, summary, evidence, actor } = fault
  return [
    ['  reason', `${code}: ${summary}`],
    ...(evidence ? [['  evidence', evidence] as [string, string]] : []),
    ['  must act', actor],
  ]
}
