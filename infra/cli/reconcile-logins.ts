/** `reconcile-logins`: goes through all channels and finds, or stores, the login that works (row S8). */

import { type Api, ApiError } from './api.ts'
import { allChannels, type Channel, channelPath, recheckSchema } from './channel-document.ts'
import { command, exitCodes } from './command.ts'
import type { Terminal } from './terminal.ts'

interface Row {
  channelId: string
  email: string
  before: string
  after: string
  outcome: 'unchanged' | 'would heal' | 'healed' | 'failed'
  reason: string
}

export const reconcileLoginsCommand = command({
  name: 'reconcile-logins',
  words: [],
  says: 'finds, or stores, the login that works, for every channel; nobody has to sign in again',
  more: 'By a fresh sign-in and a probe. Changes nothing without --apply, and is safe on live channels. Exit code 1\nif a channel could not be looked at; the others are done all the same.',
  options: {
    account: { type: 'string', value: 'ID', says: 'only the channels of this account' },
    apply: { type: 'boolean', says: 'stores what works' },
    after: { type: 'string', value: 'CURSOR', says: 'goes on where an earlier call stopped' },
  },
  async run({ api, terminal, options }) {
    const rows: Row[] = []
    for await (const { channels, cursor } of allChannels(api, options)) {
      for (const channel of channels.filter(({ disconnectedAt }) => disconnectedAt === null)) {
        const row = await reconcile(api, channel, options)
        rows.push(row)
        if (terminal.json) terminal.document(row)
        const toHeal = rows.filter(({ outcome }) => outcome === 'would heal' || outcome === 'healed')
        terminal.progress(`${rows.length} looked at, ${toHeal.length} to heal: ${channel.email}`)
      }
      if (cursor) terminal.note(`${rows.length} looked at; go on from here with --after ${cursor}`)
    }
    if (!terminal.json) report(rows, { terminal, apply: options.apply })
    return rows.some(({ outcome }) => outcome === 'failed') ? exitCodes.notWell : exitCodes.done
  },
})

async function reconcile(api: Api, channel: Channel, { apply }: { apply: boolean }): Promise<Row> {
  const base = { channelId: channel.id, email: channel.email, before: channel.login.smtp }
  try {
    const path = `${channelPath(channel.id)}/reconcile-login`
    const { before, after } = await api.call(recheckSchema, 'POST', path, { body: { dryRun: !apply } })
    const isSame = before.imap === after.imap && before.smtp === after.smtp
    const outcome = isSame ? 'unchanged' : apply ? 'healed' : 'would heal'
    return { ...base, after: after.smtp, outcome, reason: '' }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { ...base, after: channel.login.smtp, outcome: 'failed', reason: error.message }
  }
}

function report(rows: Row[], { terminal, apply }: { terminal: Terminal; apply: boolean }): void {
  terminal.table(
    ['channel', 'address', 'login before', 'login after', 'outcome', 'reason'],
    rows.map(({ channelId, email, before, after, outcome, reason }) => [
      channelId,
      email,
      before,
      after,
      outcome,
      reason,
    ]),
  )
  const toHeal = rows.filter(({ outcome }) => outcome === 'would heal').length
  if (!apply && toHeal > 0)
    terminal.line(`\n${toHeal} would heal: run again with --apply to store what works.`)
}
