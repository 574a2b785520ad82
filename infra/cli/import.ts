/** `import`: takes over the mailboxes of another system by their refresh tokens; no owner has to sign in again. */

import * as v from 'valibot'
import { type Api, ApiError } from './api.ts'
import { channelSchema } from './channel-document.ts'
import { readChatwoot } from './chatwoot-export.ts'
import { command, exitCodes, UsageError } from './command.ts'
import { readEmailEngine } from './emailengine-export.ts'
import { readGiven } from './given-file.ts'
import type { ImportRow, ReadRow } from './import-row.ts'
import { nextLook } from './waiting.ts'

const readers = { chatwoot: readChatwoot, emailengine: readEmailEngine }
const importedSchema = v.object({ state: v.string(), channel: v.nullable(channelSchema) })

interface Outcome {
  row: number
  email: string
  outcome: string
  channelId: string | null
  reason: string
}

/** How often a call is made again that the provider, or the API's own limit, holds up. */
const tries = 5

export const importCommand = command({
  name: 'import',
  words: ['FILE'],
  says: 'takes over the mailboxes of a Chatwoot or EmailEngine export, without any new sign-in',
  more: `FILE is a JSON list, one JSON object, or one object a line; - reads stdin. What an export must hold, and how to
make it: infra/cli/moving-here.md. Running it again does no harm: what was imported is found. Exit code 1 if a
row was refused; the others are done all the same.`,
  options: {
    from: { type: 'string', value: 'SYSTEM', says: 'chatwoot or emailengine', required: true },
    account: {
      type: 'string',
      value: 'ID',
      says: 'the account all are to belong to, instead of the export’s',
    },
    provider: { type: 'string', value: 'NAME', says: 'microsoft or google for all, instead of the export’s' },
    since: { type: 'string', value: 'TIME', says: 'reports mail from then on (ISO 8601), not only new mail' },
    'client-id': {
      type: 'string',
      value: 'ID',
      says: 'of the OAuth app the tokens were given to: refused at once if it is not the one configured',
    },
    'dry-run': { type: 'boolean', says: 'checks what can be known without using a token; changes nothing' },
  },
  async run({ api, terminal, words, options, signal }) {
    if (!(options.from in readers))
      throw new UsageError(`--from must be chatwoot or emailengine; it is "${options.from}".`)
    const read = readers[options.from as keyof typeof readers]
    const text = words.FILE === '-' ? await terminal.read() : await readGiven(words.FILE)
    const entries = entriesOf(text, words.FILE).map(entry => read(entry, options))
    const outcomes: Outcome[] = []
    for (const [index, entry] of entries.entries()) {
      if (signal.aborted) break
      terminal.progress(`${index + 1} of ${entries.length}: ${entry.name}`)
      const settings = {
        fetchSince: options.since,
        clientId: options['client-id'],
        dryRun: options['dry-run'],
      }
      const outcome = { row: index + 1, email: entry.name, ...(await take(entry, { api, settings, signal })) }
      outcomes.push(outcome)
      if (terminal.json) terminal.document(outcome)
    }
    if (!terminal.json) {
      terminal.table(
        ['row', 'address', 'outcome', 'channel', 'reason'],
        outcomes.map(({ row, email, outcome, channelId, reason }) => [
          String(row),
          email,
          outcome,
          channelId ?? '',
          reason,
        ]),
      )
    }
    const refused = outcomes.filter(({ outcome }) => outcome === 'refused')
    if (outcomes.length < entries.length)
      terminal.note(`Stopped after ${outcomes.length} of ${entries.length}.`)
    terminal.note(
      `${outcomes.length - refused.length} ${options['dry-run'] ? 'fit' : 'are here'}, ${refused.length} refused.`,
    )
    return refused.length > 0 || outcomes.length < entries.length ? exitCodes.notWell : exitCodes.done
  },
})

type Taken = Pick<Outcome, 'outcome' | 'channelId' | 'reason'>

/** @throws ApiError if no row can go through: nobody answers, or this caller may not import */
async function take(
  entry: ReadRow,
  { api, settings, signal }: { api: Api; settings: object; signal: AbortSignal },
): Promise<Taken> {
  if ('reason' in entry) return { outcome: 'refused', channelId: null, reason: entry.reason }
  for (let tried = 1; ; tried++) {
    try {
      const { state, channel } = await ask(api, { ...entry.row, ...settings })
      return { outcome: state, channelId: channel?.id ?? null, reason: troubleOf(channel) }
    } catch (error) {
      if (!(error instanceof ApiError) || error.exitCode === exitCodes.notAllowed) throw error
      const mayWait = error.exitCode === exitCodes.unreachable && tried < tries
      if (mayWait && (await nextLook(signal))) continue
      if (error.exitCode === exitCodes.unreachable && error.code === null) throw error
      return { outcome: 'refused', channelId: null, reason: error.message }
    }
  }
}

function ask(api: Api, body: ImportRow) {
  return api.call(importedSchema, 'POST', '/v1/channels/import', { body })
}

/** It is here, and yet somebody must act. */
function troubleOf(channel: v.InferOutput<typeof channelSchema> | null): string {
  const fault = channel?.auth.fault
  return fault ? `${fault.code}: ${fault.summary} Must act: ${fault.actor}.` : ''
}

/** The texts of JSON.parse quote what they could not read, which may be a token: only the place is told. */
function entriesOf(text: string, file: string): unknown[] {
  const whole = parsed(text)
  if (whole !== undefined) return [whole.value].flat()
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return []
    const entry = parsed(line)
    if (entry !== undefined) return [entry.value]
    throw new UsageError(`${file} must hold JSON; line ${index + 1} is none.`)
  })
}

function parsed(text: string): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}
