/** `reconcile-logins`: goes through all channels and finds, or stores, the login that works (row S8). */

import { type Api, ApiError, allChannels, type Channel, recheckSchema } from './api.ts'
import type { Options } from './postroom.ts'
import { printTable } from './table.ts'

interface Row {
  channelId: string
  email: string
  before: string
  after: string
  outcome: 'unchanged' | 'would heal' | 'healed' | 'failed'
  reason: string
}

/** @returns exit code 1 if a channel could not be looked at; the others are done all the same */
export async function reconcileLogins(api: Api, options: Options): Promise<number> {
  const rows: Row[] = []
  let resumeAt = options.after ?? null
  for await (const { channels, cursor } of allChannels(api, options)) {
    for (const channel of channels.filter(({ disconnectedAt }) => disconnectedAt === null)) {
      const row = await reconcile(api, channel, options)
      rows.push(row)
      if (options.json) console.log(JSON.stringify(row))
      else
        progress(
          `${rows.length} looked at, ${rows.filter(({ outcome }) => outcome.endsWith('heal') || outcome === 'healed').length} to heal: ${channel.email}`,
        )
    }
    resumeAt = cursor
    if (resumeAt && !options.json)
      progress(`${rows.length} looked at; go on from here with --after ${resumeAt}\n`)
  }
  if (!options.json) report(rows, options)
  return rows.some(({ outcome }) => outcome === 'failed') ? 1 : 0
}

async function reconcile(api: Api, channel: Channel, { apply }: Options): Promise<Row> {
  const base = { channelId: channel.id, email: channel.email, before: channel.login.smtp }
  try {
    const path = `/v1/channels/${encodeURIComponent(channel.id)}/reconcile-login`
    const { before, after } = await api.call(recheckSchema, 'POST', path, { dryRun: !apply })
    const isSame = before.imap === after.imap && before.smtp === after.smtp
    const outcome = isSame ? 'unchanged' : apply ? 'healed' : 'would heal'
    return { ...base, after: after.smtp, outcome, reason: '' }
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return { ...base, after: channel.login.smtp, outcome: 'failed', reason: error.message }
  }
}

/** On one line that is written over, where a person watches; not in logs. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`)
}

function report(rows: Row[], { apply }: Options): void {
  progress('')
  printTable(
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
  if (!apply && toHeal > 0) console.log(`\n${toHeal} would heal: run again with --apply to store what works.`)
}
